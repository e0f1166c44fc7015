// A path made by a formula, in float64: what would become of a course if a term of its rule were left out.
import type { Point, Schedule, Values } from "../engine";
import { begunPath, walked, type Path } from "../path.ts";
import type { Problem } from "../problem";
import { finished } from "../slices.ts";
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
  const start = [...problem.start].map(Math.fround); // where the rule starts, too
  const values: Quantities = {
    ...rule.constants,
    ...remembered(rule, 1),
    ...asSymbols(rule, startOf(rule, start)),
    theta: matrix(1, 2, start),
  };
  const place = () => (values.theta as Matrix).data as unknown as Point;
  return yield* walked(begunPath(Float64Array, steps), problem, {
    place,
    advance(step) {
      const gradient = problem.gradient(...place(), step);
      if (!gradient.every(Number.isFinite)) return false;
      Object.assign(values, { g: matrix(1, 2, gradient), t: step + 1 }, rateOf(rule.settings, schedule, step));
      run(rule.lines, values, rule.means.power);
      return true;
    },
  });
}

/** The rate of a step, where the rule has one and a schedule changes it. */
function rateOf({ lr }: Values, schedule: Schedule | null, step: number): Quantities {
  return schedule && typeof lr === "number" ? { lr: lr * schedule.value(step) } : {};
}
