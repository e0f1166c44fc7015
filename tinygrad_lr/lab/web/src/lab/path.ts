// A path over a surface: where it was after each step, and how it ended.
import type { Point } from "./engine";
import type { Problem } from "./problem";
import { RESTS } from "./slices.ts";

export interface Path {
  xs: Float32Array | Float64Array; // after 0, 1, ... steps
  ys: Float32Array | Float64Array;
  losses: Float64Array;
  made: number; // how many steps were made
  diverged: number | null; // the step at which value or gradient was not finite
  error: string | null; // why there is no path, in Python's words
}

/** A path of at most so many steps, of which none is made, in numbers of float32 or float64. */
export function begunPath(Numbers: Float32ArrayConstructor | Float64ArrayConstructor, steps: number): Path {
  const [xs, ys] = [new Numbers(steps + 1), new Numbers(steps + 1)];
  return { xs, ys, losses: new Float64Array(steps + 1), made: 0, diverged: null, error: null };
}

/** What makes the steps of a path. */
export interface Walker {
  place(): Point;
  advance(step: number): boolean; // false where the gradient is not finite; throws an Error in Python's words
}

/** The path with its steps, made with rests on the way, until all are made or one cannot be. */
export function* walked(path: Path, problem: Problem, walker: Walker): Generator<void, Path> {
  const steps = path.losses.length - 1;
  for (let step = 0; ; step++) {
    const [x, y] = walker.place();
    path.xs[step] = x;
    path.ys[step] = y;
    path.losses[step] = problem.value(x, y);
    path.made = step;
    if (step % RESTS === RESTS - 1) yield;
    if (!Number.isFinite(path.losses[step]!)) path.diverged = step;
    if (step === steps || path.diverged !== null) return path;
    try {
      if (!walker.advance(step)) path.diverged = step;
    } catch (error) {
      path.error = messageOf(error);
    }
    if (path.diverged !== null || path.error !== null) return path;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
