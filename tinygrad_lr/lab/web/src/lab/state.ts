// All that the reader can choose, with its first values, and how it stands in the address.
import type { Engine, Point, Value, Values } from "./engine";
import type { PageData } from "./data";
import type { Language } from "./text";

/** An optimizer that runs: `values` are those that differ from its dialect's defaults. */
export interface Racer {
  name: string;
  dialect: string;
  values: Values;
}

/** What is made of a schedule, in this order: .repeat(repeat), .shift(shift), * times, .clip(min, max). */
export interface Around {
  repeat?: number;
  shift?: number;
  times?: number;
  min?: number;
  max?: number;
}

/** A part of the schedule, by the name of its row; parts follow one another by `.then`. */
export interface Phase {
  name: string;
  args: Values;
  around?: Around;
}

export interface State {
  language: Language;
  curvature: number; // of the curve of one parameter, with the rate and the start of the descent on it
  rate: number;
  from: number;
  surface: string; // "table", or a name of the engine's
  args: Record<string, number>;
  start: Point | null; // null: the surface's own
  steps: number;
  step: number; // the one that is looked at
  racers: Racer[];
  looked: number; // which racer lies under the glass
  axis: number; // 0 or 1: which of its two parameters
  without: string;
  batch: number; // rows of a batch; 0: all
  seed: number;
  phases: Phase[];
  around: Around | undefined; // all phases together
  common: number; // the rate of both groups, where they have one
  rates: Point; // the rates of two groups
  seeds: number;
}

export const TABLE = "table";
export const MOST_STEPS = 10_000;
export const MOST_RACERS = 100; // an address with more is somebody's mistake
export const MOST_PHASES = 50;

export function firstState(engine: Engine, data: PageData): State {
  const wanted: [string, number][] = [
    ["sgd", 0.1],
    ["rmsprop", 0.05],
    ["adam", 0.1],
  ];
  const racers = wanted
    .filter(([name]) => name in engine.optimizers)
    .map(([name, lr]) => racerOf(engine, name, { lr }));
  return {
    language: data.language,
    curvature: 1,
    rate: 0.3,
    from: -1.6,
    surface: TABLE,
    args: {},
    start: null,
    steps: 100,
    step: 100,
    racers,
    looked: Math.max(racers.length - 1, 0),
    axis: 0,
    without: "",
    batch: 0,
    seed: 0,
    phases: [],
    around: undefined,
    common: 0.03,
    rates: [0.1, 0.01],
    seeds: 3,
  };
}

export function racerOf(engine: Engine, name: string, values: Values = {}): Racer {
  return { name, dialect: dialectsOf(engine, name)[0]!, values };
}

export function dialectsOf(engine: Engine, name: string): string[] {
  return Object.keys(engine.optimizers[name]!.dialects);
}

/** A state's phases without one of them; what is made of all together goes with the last. */
export function withoutPhase({ phases, around }: State, number: number): Pick<State, "phases" | "around"> {
  const left = phases.filter((_, i) => i !== number);
  return { phases: left, around: left.length ? around : undefined };
}

/** All hyperparameters of a racer: its dialect's, and over them its own. */
export function valuesOf(engine: Engine, racer: Racer): Values {
  return { ...engine.optimizers[racer.name]!.dialects[racer.dialect], ...racer.values };
}

/** The address of a state: what differs from the first one. */
export function toHash(state: State, first: State): string {
  const parts: string[] = [];
  for (const key of Object.keys(first) as (keyof State)[]) {
    const value = state[key];
    if (JSON.stringify(value) === JSON.stringify(first[key])) continue;
    parts.push(`${key}=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`);
  }
  return `#${parts.join("&")}`;
}

/** The state of an address. What it has wrong is left out: an address comes from anybody. */
export function fromHash(hash: string, engine: Engine, data: PageData): State {
  const state = firstState(engine, data);
  const given = new Map<string, unknown>();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const place = part.indexOf("=");
    if (place > 0) given.set(part.slice(0, place), decoded(part.slice(place + 1)));
  }
  const take = <K extends keyof State>(key: K, valid: (value: unknown) => State[K] | undefined) => {
    const found = given.has(key) ? valid(given.get(key)) : undefined;
    if (found !== undefined) state[key] = found;
  };
  take("language", (value) => (value === "en" || value === "zh" ? value : undefined));
  take("curvature", within(0.01, 100));
  take("rate", within(1e-4, 1e3));
  take("from", within(-2, 2));
  take("surface", (value) => (value === TABLE || isKey(value, engine.surfaces) ? value : undefined));
  take("args", (value) => argsOf(value, engine, state.surface));
  take("start", pointOf);
  take("steps", whole(1, MOST_STEPS));
  take("step", whole(0, MOST_STEPS));
  take("racers", (value) => racersOf(value, engine));
  take("looked", whole(0, MOST_RACERS));
  take("axis", whole(0, 1));
  take("without", (value) => (typeof value === "string" ? value : undefined));
  take("batch", whole(0, data.table.columns[0].length));
  take("seed", whole(0, data.seeds - 1));
  take("phases", (value) => phasesOf(value, engine));
  take("around", (value) => (state.phases.length ? aroundOf(value) : undefined));
  take("common", within(1e-6, 1e3));
  take("rates", (value) => (pointOf(value)?.every((rate) => rate >= 1e-6 && rate <= 1e3) ? pointOf(value) : undefined));
  take("seeds", whole(1, data.moves.length));
  state.step = Math.min(state.step, state.steps);
  state.looked = Math.min(state.looked, Math.max(state.racers.length - 1, 0));
  return state;
}

function decoded(text: string): unknown {
  let plain = text;
  try {
    plain = decodeURIComponent(text);
    return JSON.parse(plain);
  } catch {
    return plain;
  }
}

function within(least: number, most: number): (value: unknown) => number | undefined {
  return (value) => (typeof value === "number" && value >= least && value <= most ? value : undefined);
}

function whole(least: number, most: number): (value: unknown) => number | undefined {
  return (value) => (Number.isInteger(value) ? within(least, most)(value) : undefined);
}

function isKey(value: unknown, of: object): value is string {
  return typeof value === "string" && Object.hasOwn(of, value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pointOf(value: unknown): Point | undefined {
  const [x, y, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
  return Number.isFinite(x) && Number.isFinite(y) && !more.length ? [x as number, y as number] : undefined;
}

function plainValues(value: Record<string, unknown>): Values {
  const isPlain = (each: unknown): each is Value =>
    each === null ||
    ["number", "boolean", "string"].includes(typeof each) ||
    (Array.isArray(each) && each.every(isPlain));
  return Object.fromEntries(Object.entries(value).filter((pair): pair is [string, Value] => isPlain(pair[1])));
}

function argsOf(value: unknown, engine: Engine, surface: string): Record<string, number> | undefined {
  if (!isObject(value) || surface === TABLE) return undefined;
  const found: Record<string, number> = {};
  for (const { name, least } of engine.surfaces[surface]!.arguments) {
    const given = within(least, 1e9)(value[name]);
    if (given !== undefined) found[name] = given;
  }
  return found;
}

function racersOf(value: unknown, engine: Engine): Racer[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const found: Racer[] = [];
  for (const each of (value as unknown[]).slice(0, MOST_RACERS)) {
    if (!isObject(each) || !isKey(each.name, engine.optimizers) || engine.optimizers[each.name]!.needs) continue;
    const { dialects, hyperparameters } = engine.optimizers[each.name]!;
    const dialect = isKey(each.dialect, dialects) ? each.dialect : Object.keys(dialects)[0]!;
    const known = new Set(hyperparameters.map(({ name }) => name));
    const values = Object.entries(isObject(each.values) ? plainValues(each.values) : {}).filter(([name]) =>
      known.has(name),
    );
    found.push({ name: each.name, dialect, values: Object.fromEntries(values) });
  }
  return found;
}

function phasesOf(value: unknown, engine: Engine): Phase[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return (value as unknown[])
    .slice(0, MOST_PHASES)
    .filter((each): each is Phase => isObject(each) && isKey(each.name, engine.schedules) && isObject(each.args))
    .map(({ name, args, around }) => ({ name, args: plainValues(args), around: aroundOf(around) }));
}

const AROUND = ["repeat", "shift", "times", "min", "max"];

/** What is made of a schedule; undefined where it is nothing, so that the address does not say it. */
export function aroundOf(value: unknown): Around | undefined {
  const pairs = Object.entries(isObject(value) ? value : {}).filter(
    ([name, each]) => AROUND.includes(name) && Number.isFinite(each),
  );
  return pairs.length ? Object.fromEntries(pairs) : undefined;
}
