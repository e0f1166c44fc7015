// The experiment that the sections share: a problem, a schedule, and the path of every chosen optimizer.
import type { Axis } from "./axes";
import type { Series } from "./chart";
import type { Control } from "./controls";
import type { Lab } from "./lab";
import { h, tell } from "./dom";
import type { Point, Schedule } from "./engine";
import { shown } from "./numbers";
import { styleOf } from "./palette";
import type { Path } from "./path";
import { ahead, marking, pathOf, scheduleOf, type Course, type LeftOut } from "./paths";
import { onTable, problemOf, type Problem } from "./problem";
import type { Misfit } from "./refusals";
import { TABLE, valuesOf, type State } from "./state";
import { termsOf } from "./terms";
import { misfit, refusal, says, short, t, textOr } from "./text";

export interface Experiment {
  problem: Problem;
  schedule: Schedule | null;
  error: Misfit | null; // why there is no schedule
  courses: Course[];
  paths: Path[];
}

/** The experiment of the state, or of the same state with some of it changed. */
export function experiment(lab: Lab, patch: Partial<State> = {}): Experiment {
  const found = coursesOf(lab, patch);
  return { ...found, paths: found.courses.map((course) => pathOf(course, lab.store.state.steps)) };
}

function coursesOf({ engine, data, store }: Lab, patch: Partial<State>): Omit<Experiment, "paths"> {
  const state = { ...store.state, ...patch };
  const problem = problemOf({ engine, data }, state);
  const { schedule, error } = scheduleOf(engine, state);
  const courses = state.racers.map((racer): Course => ({ engine, problem, racer, schedule }));
  return { problem, schedule, error, courses };
}

/** The term that is left out under the glass. */
export function leftOut(lab: Lab): (LeftOut & { name: string }) | null {
  const term = lab.store.state.without;
  const found = termsOf(lab).get(term);
  return found ? { term, rule: found.rule, name: t(found.name) } : null;
}

/** A line for sections that follow the schedule: why there is none. */
export function scheduleNote({ engine, store }: Lab): Control {
  const element = h("p", { hidden: true });
  const update = () => {
    const { error } = scheduleOf(engine, store.state);
    element.hidden = error === null;
    tell(element, error === null ? "" : t("noSchedule", { error: misfit(error) }), error !== null);
  };
  return { element, update };
}

/** Compute what the sections draw, with rests on the way. */
export function* pathsAhead(lab: Lab): Generator<void, void> {
  const { state } = lab.store;
  const { steps, step, looked } = state;
  const { courses } = coursesOf(lab, {});
  for (const course of courses) yield* ahead(course, steps);
  const [course, left] = [courses[looked], leftOut(lab)];
  if (course && left) yield* ahead(course, steps, left);
  if (course && step > 0 && pathOf(course, steps).error === null) yield* marking(course, step - 1);
  for (const each of coursesOf(lab, onTable(state)).courses) yield* ahead(each, steps);
  const groups = groupCourses(lab);
  for (const each of groups ? [groups.two, groups.one] : []) yield* ahead(each, steps);
}

export function groupExperiment(lab: Lab): { problem: Problem; two: Path; one: Path } | null {
  const found = groupCourses(lab);
  const path = (course: Course) => pathOf(course, lab.store.state.steps);
  return found && { problem: found.problem, two: path(found.two), one: path(found.one) };
}

/** Two groups with rates of their own, and with one rate: courses of the racer under the glass, on the table's surface. */
function groupCourses(lab: Lab): { problem: Problem; two: Course; one: Course } | null {
  const { engine, store } = lab;
  const { racers, looked, rates, common } = store.state;
  const racer = racers[looked];
  if (!racer || typeof valuesOf(engine, racer).lr !== "number") return null;
  const problem = problemOf(lab, { ...store.state, ...onTable(store.state) });
  const { schedule } = scheduleOf(engine, store.state);
  const course = (both: Point): Course => ({ engine, problem, racer, schedule, rates: both });
  return { problem, two: course(rates), one: course([common, common]) };
}

/** For the browser's console, and for tests: the places of each path, by the names that "Copy as Python" gives them. */
export function placesOf(lab: Lab): { racers: Places; groups: Places } {
  const places = ({ xs, ys, made, error }: Path) =>
    Array.from({ length: error === null ? made + 1 : 0 }, (_, i): Point => [xs[i]!, ys[i]!]);
  const names = racerNames(lab);
  const groups = groupExperiment(lab);
  return {
    racers: Object.fromEntries(experiment(lab).paths.map((path, i) => [names[i]!, places(path)])),
    groups: groups ? { "two rates": places(groups.two), "one rate": places(groups.one) } : {},
  };
}

type Places = Record<string, Point[]>;

/** What the racers are called: the class, and its dialect where it is not the first; numbers where two are the same. */
export function racerNames({ engine, store }: Lab, racers = store.state.racers): string[] {
  const names = racers.map(({ name, dialect }) => {
    const { title, dialects } = engine.optimizers[name]!;
    return Object.keys(dialects)[0] === dialect ? title : `${title} (${dialect})`;
  });
  return names.map((name, i) => {
    const same = names.flatMap((each, j) => (each === name ? [j] : []));
    return same.length > 1 ? `${name} ${same.indexOf(i) + 1}` : name;
  });
}

/** What the two parameters are called. */
export function parameterNames({ data }: Lab, surface: string): [string, string] {
  const { features } = data.table;
  return surface === TABLE
    ? [t("weightOf", { name: short(features[0]) }), t("weightOf", { name: short(features[1]) })]
    : ["x", "y"];
}

export function surfaceName({ data }: Lab, surface: string): string {
  return surface === TABLE ? t("surfaceTable", { name: data.table.name }) : textOr(`surface_${surface}`, surface);
}

/** A path's loss at a step, or what became of it. */
export function outcome(path: Path, step: number): string {
  if (path.error !== null) return refusal(path.error);
  if (path.diverged !== null && step >= path.diverged) return t("divergedAt", { step: path.diverged });
  return t("lossIs", { loss: shown(path.losses[Math.min(step, path.made)]!) });
}

export function lossSeries(path: Path, number: number, name: string, dashed = false): Series {
  const length = path.error === null ? path.made + (path.diverged === null ? 1 : 0) : 0;
  return { name, xs: null, ys: path.losses, length, style: styleOf(number), dashed };
}

const SPREAD = 30; // how far above the first losses an axis of losses reaches for paths that diverge
const LEAST = 1e-18;

/** The axis of losses: logarithmic, unless one is not above 0. */
export function lossAxis(series: Series[]): Axis {
  let [low, high, first] = [Infinity, -Infinity, -Infinity];
  for (const { ys, length } of series) {
    first = Math.max(first, length ? ys[0]! : -Infinity);
    for (let i = 0; i < length; i++) {
      low = Math.min(low, ys[i]!);
      high = Math.max(high, ys[i]!);
    }
  }
  if (!Number.isFinite(low)) return { min: 0.1, max: 1, log: true, label: t("lossAxisLog") };
  if (low <= 0 && (low < 0 || series.some(({ ys, length }) => length && ys[length - 1]! < 0))) {
    const most = Math.min(high, Math.max(first, 0) + Math.abs(low) + 1);
    const least = Math.max(low, -SPREAD * (Math.abs(first) + 1));
    return { min: least, max: most, label: t("lossAxisLinear") };
  }
  const max = Math.min(high, SPREAD * first || high);
  const min = Math.max(low, LEAST);
  return { min: min / 1.15, max: Math.max(max, min) * 1.15, log: true, label: t("lossAxisLog") };
}

/** What a chart of losses says beside the pointer. */
export function reading(names: string[], paths: Path[]): (x: number) => string {
  return (x) => {
    const step = Math.round(x);
    return [t("stepIs", { step }), ...paths.map((path, i) => says(names[i]!, outcome(path, step)))].join("\n");
  };
}
