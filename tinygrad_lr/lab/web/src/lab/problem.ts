// What is descended on: a surface of the engine's, or the table's least squares, as functions of a place and a step.
import type { PageData } from "./data";
import type { Lab } from "./lab";
import type { Engine, Point, TableSurface } from "./engine";
import { TABLE, type State } from "./state";

export interface Problem {
  key: string; // two problems with one key have the same values everywhere
  noise: string; // two with one key and one noise have the same gradients at every step
  start: Point;
  home: Point; // the surface's own start
  minimum: Point | null;
  twin: Point | null; // another one, as low
  lowest: number | null; // the value at the minimum
  seen: [Point, Point];
  grain: number; // pixels of a cell of the grid on which contours are computed
  value(x: number, y: number): number;
  gradient(x: number, y: number, step: number): Point;
}

const AROUND = 0.6; // of the table's picture: how far it reaches beyond start and minimum

type Known = Pick<Lab, "engine" | "data">;

export function problemOf(lab: Known, state: State): Problem {
  return state.surface === TABLE ? ofTable(lab, state) : ofSurface(lab.engine, state);
}

/** What a state has otherwise where its experiment is made on the table. */
export function onTable({ surface }: State): Partial<State> {
  return surface === TABLE ? {} : { surface: TABLE, start: null, args: {} };
}

function ofSurface(engine: Engine, state: State): Problem {
  const info = engine.surfaces[state.surface]!;
  const args = Object.fromEntries(info.arguments.map((each) => [each.name, state.args[each.name] ?? each.default]));
  return {
    key: JSON.stringify([state.surface, args]),
    noise: "",
    start: state.start ?? info.start,
    home: info.start,
    minimum: info.minimum,
    twin: info.twin,
    lowest: info.minimum && info.value(...info.minimum, args),
    seen: info.seen,
    grain: 1,
    value: (x, y) => info.value(x, y, args),
    gradient: (x, y) => info.gradient(x, y, args),
  };
}

/** The start on a table: off the minimum, by a distance that shows the bowl whatever the table is. */
export function tableStart([x, y]: Point): Point {
  return [Math.round((x - 1) * 100) / 100, Math.round((y + 0.6) * 100) / 100];
}

function ofTable({ engine, data }: Known, state: State): Problem {
  const surface = tableSurface(engine, data);
  const { minimum } = surface;
  const home = tableStart(minimum);
  const range = (axis: 0 | 1): Point => [
    Math.min(home[axis], minimum[axis]) - AROUND,
    Math.max(home[axis], minimum[axis]) + AROUND,
  ];
  return {
    key: TABLE,
    noise: state.batch ? `${state.batch} ${state.seed}` : "",
    start: state.start ?? home,
    home,
    minimum,
    twin: null,
    lowest: surface.value(...minimum),
    seen: [range(0), range(1)],
    grain: 3, // it is smooth, and a sum over all rows
    value: (x, y) => surface.value(x, y),
    gradient: (x, y, step) => surface.gradient(x, y, batchOf(engine, data, state, step)),
  };
}

const surfaces = new WeakMap<PageData, TableSurface>();

/** The least squares of the page's table. */
export function tableSurface(engine: Engine, data: PageData): TableSurface {
  const found = surfaces.get(data) ?? engine.tableSurface(...data.table.columns);
  surfaces.set(data, found);
  return found;
}

/** The rows that a step sees, undefined where it sees all: a part of its epoch's order. */
export function batchOf(engine: Engine, data: PageData, { batch, seed }: State, step: number): number[] | undefined {
  if (!batch) return undefined;
  const rows = data.table.columns[0].length;
  const perEpoch = Math.ceil(rows / batch);
  const first = (step % perEpoch) * batch;
  return engine.order(seed, Math.floor(step / perEpoch), rows).slice(first, first + batch);
}
