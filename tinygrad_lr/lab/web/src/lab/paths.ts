// The paths of optimizers: the engine's runs, step for step, and what a run holds at one of them.
import type { Engine, GivenGroup, Run, Schedule, Values } from "./engine";
import { descending } from "./formula/descent";
import type { Rule } from "./formula/explain";
import { begunPath, messageOf, walked, type Path } from "./path";
import type { Problem } from "./problem";
import type { Method, Misfit } from "./refusals";
import { finished } from "./slices";
import { valuesOf, type Around, type Phase, type Racer, type State } from "./state";

/** What happened in one step. */
export interface Look {
  step: number; // from 1
  values: Values; // all hyperparameters, the rate in force among them
  kept: Record<string, number[] | number>; // what the optimizer remembers before the step
  before: number[];
  gradient: number[];
  after: number[];
  rate: number | null;
  states: Record<string, number[]>;
  numbers: Record<string, number>;
  scalars: Record<string, number>;
}

/** A run of a racer: one parameter of shape (1, 2), or two groups of one number each, with rates of their own. */
export interface Course {
  engine: Engine;
  problem: Problem;
  racer: Racer;
  schedule: Schedule | null;
  rates?: [number, number];
}

const KEPT = 250; // more than MOST_RACERS on two problems
const kept = new Map<string, Path>();

/** A term that is left out, and the formula without it. */
export interface LeftOut {
  term: string;
  rule: Rule;
}

export function pathOf(course: Course, steps: number): Path {
  return keptOr(placeOfPath(course, steps), () => finished(computing(course, steps)));
}

/** The path that a course's formula makes in float64 without a term. */
export function pathWithout(course: Course, steps: number, left: LeftOut): Path {
  return keptOr(placeOfPath(course, steps, left), () => finished(descending({ ...course, rule: left.rule }, steps)));
}

/** Compute what is not kept yet, with rests: then `pathOf`, or `pathWithout`, has it at once. */
export function* ahead(course: Course, steps: number, left?: LeftOut): Generator<void, void> {
  const place = placeOfPath(course, steps, left);
  if (kept.has(place)) return;
  if (unfinished?.place !== place) {
    const work = left ? descending({ ...course, rule: left.rule }, steps) : computing(course, steps);
    unfinished = { place, work };
  }
  const path = yield* unfinished.work;
  keptOr(place, () => path);
}

// What `ahead` was computing when it was asked for other paths: those may lead here again.
let unfinished: { place: string; work: Generator<void, Path> } | null = null;

function keyOf({ problem, racer, schedule, rates }: Course): string {
  return JSON.stringify([problem.key, problem.noise, problem.start, racer, schedule?.written, rates]);
}

function placeOfPath(course: Course, steps: number, left?: LeftOut): string {
  return JSON.stringify([keyOf(course), steps, left?.term]);
}

function keptOr(place: string, make: () => Path): Path {
  const found = kept.get(place) ?? make();
  kept.delete(place);
  kept.set(place, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return found;
}

function* computing(course: Course, steps: number): Generator<void, Path> {
  const path = begunPath(Float32Array, steps);
  let run: Run;
  try {
    run = begun(course);
  } catch (error) {
    return { ...path, error: messageOf(error) };
  }
  return yield* walked(path, course.problem, {
    place: () => placeOf(run),
    advance: (step) => advance(course, run, step),
  });
}

/** The step after so many, with all numbers of it; null where the path ends before. */
export function lookAt(course: Course, step: number): Look | null {
  try {
    const run = arrived(course, step);
    if (!run) return null;
    const before = placeOf(run);
    const kept = { ...run.numbers(0, 0), ...statesOf(run) };
    const gradient = course.problem.gradient(...before, step).map(Math.fround);
    if (!advance(course, run, step)) return null;
    const values = { ...run.groups[0]!.values };
    return {
      step: step + 1,
      values,
      kept,
      before,
      gradient,
      after: placeOf(run),
      rate: typeof values.lr === "number" ? values.lr : null,
      states: statesOf(run),
      numbers: run.numbers(0, 0),
      scalars: run.scalars(0),
    };
  } catch {
    return null;
  }
}

const EVERY = 50; // steps
let marks: { key: string; runs: Run[] } = { key: "", runs: [] };

/** Keep copies of a run on its way to a step, as far as it comes, so that every step is near to one; it rests at each. */
export function* marking(course: Course, step: number): Generator<void, void> {
  const key = keyOf(course);
  if (marks.key !== key) marks = { key, runs: [begun(course)] };
  const { runs } = marks;
  if (runs.length * EVERY > step) return;
  const run = runs.at(-1)!.copy();
  for (let i = (runs.length - 1) * EVERY; runs.length * EVERY <= step; i++) {
    if (!advance(course, run, i)) return;
    if (i + 1 !== runs.length * EVERY) continue;
    runs.push(run.copy());
    yield;
  }
}

/** A run after so many steps; null where the path ends before. */
function arrived(course: Course, step: number): Run | null {
  finished(marking(course, step));
  const first = Math.min(Math.floor(step / EVERY), marks.runs.length - 1);
  const run = marks.runs[first]!.copy();
  for (let i = first * EVERY; i < step; i++) if (!advance(course, run, i)) return null;
  return run;
}

function statesOf(run: Run): Record<string, number[]> {
  return Object.fromEntries(Object.entries(run.states(0, 0)).map(([name, array]) => [name, [...array]]));
}

function begun({ engine, problem, racer, rates }: Course): Run {
  const values: Values = valuesOf(engine, racer);
  const groups: GivenGroup[] = rates
    ? rates.map((lr, i) => ({ values: { ...values, lr }, params: [{ shape: [1, 1], value: [problem.start[i]!] }] }))
    : [{ values, params: [{ shape: [1, 2], value: problem.start }] }];
  return engine.start(racer.name, groups);
}

function placeOf(run: Run): [number, number] {
  const [first, second] = run.groups;
  const value = first!.params[0]!.value;
  return second ? [value[0]!, second.params[0]!.value[0]!] : [value[0]!, value[1]!];
}

/** Make a step, at the schedule's rate; false where the gradient is not finite. */
function advance({ engine, problem, racer, schedule, rates }: Course, run: Run, step: number): boolean {
  const [x, y] = placeOf(run);
  const [byX, byY] = problem.gradient(x, y, step);
  if (!Number.isFinite(byX) || !Number.isFinite(byY)) return false;
  if (schedule) {
    run.groups.forEach((group, i) => {
      const base = rates ? rates[i]! : valuesOf(engine, racer).lr;
      if (typeof base === "number") group.values.lr = base * schedule.value(step);
    });
  }
  run.step(rates ? [[Float32Array.of(byX)], [Float32Array.of(byY)]] : [[Float32Array.of(byX, byY)]]);
  return true;
}

/** The phases as one schedule, null where there are none; or why they do not fit together. */
export function scheduleOf(
  engine: Engine,
  { phases, around, steps }: Pick<State, "phases" | "around" | "steps">,
): { schedule: Schedule | null; error: Misfit | null } {
  const at: Omit<Misfit, "message"> = { phase: null, method: null };
  const wrapped = (schedule: Schedule, given: Around = {}) =>
    methodsOf(given).reduce((found, [method, act]) => {
      at.method = method;
      return act(found);
    }, schedule);
  const partOf = ({ name, args, around: own }: Phase, i: number) => {
    Object.assign(at, { phase: { number: i + 1, name }, method: null });
    const info = engine.schedules[name]!;
    const usual = info.arguments.filter(({ required }) => !required).map((each) => [each.name, each.default]);
    return wrapped(info.build({ ...Object.fromEntries(usual), ...args }), own);
  };
  const followed = (before: Schedule, next: Schedule, i: number) => {
    at.phase = before.totalSteps === null ? { number: i, name: phases[i - 1]!.name } : null; // the one without an end
    return before.then(next);
  };
  try {
    const parts = phases.map(partOf);
    Object.assign(at, { phase: null, method: null });
    const sequence = parts.length ? parts.reduce(followed) : null;
    const schedule = sequence && wrapped(sequence, around);
    at.method = null;
    const isBounded = !schedule || schedule.range.every(Number.isFinite);
    if (!isBounded) schedule.values([...Array(steps).keys()]); // Python refuses a factor that is too large
    return { schedule, error: null };
  } catch (error) {
    return { schedule: null, error: { ...at, message: messageOf(error) } };
  }
}

/** What is made of a schedule, in its order. */
function methodsOf({ repeat, shift, times, min, max }: Around): [Method, (schedule: Schedule) => Schedule][] {
  const found: [Method, (schedule: Schedule) => Schedule][] = [];
  if (repeat !== undefined) found.push(["repeat", (schedule) => schedule.repeat(repeat)]);
  if (shift !== undefined) found.push(["shift", (schedule) => schedule.shift(shift)]);
  if (times !== undefined) found.push(["times", (schedule) => schedule.times(times)]);
  if (min !== undefined || max !== undefined) {
    found.push(["clip", (schedule) => schedule.clip(min ?? null, max ?? null)]);
  }
  return found;
}
