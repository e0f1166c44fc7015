// Contours of a surface: its true values on a grid, round levels, and where each level runs.
import { linearTicks } from "./axes";
import type { Problem } from "./problem";

export interface View {
  x: [number, number];
  y: [number, number];
}

export interface Level {
  value: number;
  rings: [number, number][][]; // around what is as high or higher, in the surface's own numbers
}

const LEVELS = 16;
const NARROWEST = 4; // cells: where a level's valley is narrower, a grid tears it, and it is left out
const SORTED = 20000; // points of the grid of which the levels are chosen
const KEPT = 12; // maps of one size share their contours
const kept = new Map<string, Level[]>();

/** The contours of what a view shows, on a grid of so many columns and rows; computed once. */
export function contours(problem: Problem, view: View, columns: number, rows: number): Level[] {
  const key = JSON.stringify([problem.key, view, columns, rows]);
  const found = kept.get(key) ?? traced(problem, view, columns, rows);
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return found;
}

// Of a cell, by which of its corners are high (1 lower left, 2 lower right, 4 upper right, 8 upper left): the sides from
// which and to which a contour runs, with what is high on its left. Sides: 0 below, 1 right, 2 above, 3 left.
const RUNS = ["", "03", "10", "13", "21", "0321", "20", "23", "32", "02", "1032", "12", "31", "01", "30", ""];

function traced(problem: Problem, view: View, columns: number, rows: number): Level[] {
  const [wide, high] = [columns + 2, rows + 2]; // with a border that is below all levels
  const xAt = (i: number) => view.x[0] + ((i - 0.5) / columns) * (view.x[1] - view.x[0]);
  const yAt = (j: number) => view.y[0] + ((j - 0.5) / rows) * (view.y[1] - view.y[0]);
  const values = new Float64Array(wide * high).fill(-Infinity);
  for (let j = 1; j <= rows; j++) {
    const y = yAt(j);
    for (let i = 1; i <= columns; i++) values[j * wide + i] = problem.value(xAt(i), y);
  }
  const thresholds = levels(values, problem.lowest);
  const reached = new Uint8Array(values.length); // how many levels
  const below = new Float64Array(thresholds.length); // how many points of the grid
  for (let at = 0; at < values.length; at++) {
    let count = 0;
    while (values[at]! >= thresholds[count]!) count++;
    reached[at] = count;
    if (values[at] !== -Infinity) for (let i = count; i < below.length; i++) below[i]!++;
  }
  const runs = runsOf(reached, wide, thresholds.length);

  /** Where a level crosses the edge from a grid point to the next one, or to the one above. */
  const place = (edge: number, level: number): [number, number] => {
    const from = edge >> 1;
    const [one, other] = [values[from]!, values[from + (edge & 1 ? wide : 1)]!];
    const share = (level - one) / (other - one);
    const part = Number.isFinite(one) && Number.isFinite(other) ? share : 0.5;
    const [i, j] = [from % wide, Math.floor(from / wide)];
    return edge & 1 ? [xAt(i), yAt(j + part)] : [xAt(i + part), yAt(j)];
  };
  const isInside = (edge: number) => Number.isFinite(values[edge >> 1]! + values[(edge >> 1) + (edge & 1 ? wide : 1)]!);
  return thresholds.flatMap((value, number) => {
    const length = [...runs[number]!.keys()].filter(isInside).length;
    if (2 * below[number]! < NARROWEST * length) return [];
    return { value, rings: ringsOf(runs[number]!).map((ring) => ring.map((edge) => place(edge, value))) };
  });
}

/** Of each level, from which edge of the grid its contour runs to which. An edge is twice its first point, 1 more upwards. */
function runsOf(reached: Uint8Array, wide: number, count: number): Map<number, number>[] {
  const found = Array.from({ length: count }, () => new Map<number, number>());
  for (let at = 0; at + wide + 1 < reached.length; at++) {
    const [a, b, c, d] = [reached[at]!, reached[at + 1]!, reached[at + wide + 1]!, reached[at + wide]!];
    if (a === b && b === c && c === d) continue;
    const sides = [2 * at, 2 * at + 3, 2 * (at + wide), 2 * at + 1];
    for (let level = Math.min(a, b, c, d); level < Math.max(a, b, c, d); level++) {
      const run = RUNS[Number(a > level) + 2 * Number(b > level) + 4 * Number(c > level) + 8 * Number(d > level)]!;
      for (let i = 0; i < run.length; i += 2) found[level]!.set(sides[Number(run[i])]!, sides[Number(run[i + 1])]!);
    }
  }
  return found;
}

/** The closed ways that runs make. */
function ringsOf(runs: Map<number, number>): number[][] {
  const left = new Set(runs.keys());
  const rings: number[][] = [];
  for (const first of left) {
    const ring: number[] = [];
    for (let edge = first; left.delete(edge); edge = runs.get(edge)!) ring.push(edge);
    rings.push(ring);
  }
  return rings;
}

/** Round values between the lowest and the highest: powers of ten and their parts over a minimum of 0, else even ones. */
export function levels(values: Float64Array, lowest: number | null): number[] {
  const every = Math.ceil(values.length / SORTED);
  const sorted = values.filter((value, i) => i % every === 0 && Number.isFinite(value)).sort();
  const [low, high] = [sorted[0] ?? 0, sorted.at(-1) ?? 1];
  if (lowest === null || Math.abs(lowest) > 1e-9 || low < 0) {
    const most = lowest === null ? high : sorted[Math.floor(sorted.length * 0.9)]!;
    const even = linearTicks(low, most, LEVELS);
    const close = even[0] === undefined ? [] : linearTicks(low, even[Math.min(1, even.length - 1)]!, 4);
    return [...new Set(lowest === null ? even : [...close, ...even])].sort((a, b) => a - b);
  }
  const first = Math.log10(Math.max(sorted[Math.floor(sorted.length * 0.004)]!, high * 1e-8));
  const decades = Math.log10(high) - first;
  const mantissas = decades < 2.5 ? [1, 2, 5] : decades < 6 ? [1, 3] : [1];
  const found: number[] = [];
  for (let power = Math.floor(first); power <= Math.log10(high); power++) {
    found.push(
      ...mantissas.map((mantissa) => Number(`${mantissa}e${power}`)).filter((level) => level > 0 && level < high),
    );
  }
  return found;
}
