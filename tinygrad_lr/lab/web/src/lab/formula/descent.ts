// A path made by a formula, in float64: what would become of a course if a term of its rule were left out.
import type { Schedule, Values } from "../engine";
import type { Path } from "../paths";
import type { Problem } from "../problem";
import { finished, RESTS } from "../slices.ts";
import { matrix, type Matrix } from "./arrays.ts";
import { asSymbols, remembered, run, startOf, type Quantities, type Rule } from "./explain.ts";

export interface Descent {
  problem: Problem;
  rule: Rule;
  schedule: Schedule | null;
}

/** The path of a formula from the problem's start, with the problem's gradients and the schedule's rates. */
export function descended(descent: Descent, steps: number): Path {
  return finished(descending(descent, steps));
}

/** The same with rests on the way. */
export function* descending({ problem, rule, schedule }: Descent, steps: number): Generator<void, Path> {
  const path: Path = {
    xs: new Float64Array(steps + 1),
    ys: new Float64Array(steps + 1),
    losses: new Float64Array(steps + 1),
    made: 0,
    diverged: null,
    error: null,
  };
  const start = [...problem.start].map(Math.fround); // where the rule starts, too
  const values: Quantities = {
    ...rule.constants,
    ...remembered(rule, 1),
    ...asSymbols(rule, startOf(rule, start)),
    theta: matrix(1, 2, start),
  };
  for (let step = 0; ; step++) {
    const [x, y] = (values.theta as Matrix).data as unknown as [number, number];
    path.xs[step] = x;
    path.ys[step] = y;
    path.losses[step] = problem.value(x, y);
    path.made = step;
    if (step % RESTS === RESTS - 1) yield;
    if (!Number.isFinite(path.losses[step]!)) path.diverged = step;
    if (step === steps || path.diverged !== null) return path;
    const gradient = problem.gradient(x, y, step);
    if (!gradient.every(Number.isFinite)) path.diverged = step;
    if (path.diverged !== null) return path;
    Object.assign(values, { g: matrix(1, 2, gradient), t: step + 1 }, rateOf(rule.settings, schedule, step));
    run(rule.lines, values, rule.means.power);
  }
}

/** The rate of a step, where the rule has one and a schedule changes it. */
function rateOf({ lr }: Values, schedule: Schedule | null, step: number): Quantities {
  return schedule && typeof lr === "number" ? { lr: lr * schedule.value(step) } : {};
}
