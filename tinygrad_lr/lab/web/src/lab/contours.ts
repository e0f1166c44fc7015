// Contours of a surface: its true values on a grid, round levels, and where each level runs (d3-contour).
import { contours as contoursOf } from "d3-contour";
import { linearTicks } from "./axes";
import type { Problem } from "./problem";

export interface View {
  x: [number, number];
  y: [number, number];
}

export interface Level {
  value: number;
  rings: [number, number][][]; // in the surface's own numbers
}

const LEVELS = 16;

const KEPT = 12;
const kept = new Map<string, Level[]>(); // maps of one size share their contours

/** The contours of what a view shows, on a grid of so many columns and rows. */
export function contours(problem: Problem, view: View, columns: number, rows: number): Level[] {
  const key = JSON.stringify([problem.key, view, columns, rows]);
  const found = kept.get(key) ?? computed(problem, view, columns, rows);
  kept.set(key, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return found;
}

function computed(problem: Problem, view: View, columns: number, rows: number): Level[] {
  const xAt = (i: number) => view.x[0] + (i / columns) * (view.x[1] - view.x[0]);
  const yAt = (j: number) => view.y[0] + (j / rows) * (view.y[1] - view.y[0]);
  const values = new Array<number>(columns * rows);
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) values[j * columns + i] = problem.value(xAt(i + 0.5), yAt(j + 0.5));
  }
  const found = contoursOf().size([columns, rows]).thresholds(levels(values, problem.lowest))(values);
  return found.map(({ value, coordinates }) => ({
    value,
    rings: coordinates.flat().map((ring) => ring.map(([i, j]): [number, number] => [xAt(i!), yAt(j!)])),
  }));
}

/** Round values between the lowest and the highest: powers of ten and their parts over a minimum of 0, else even ones. */
export function levels(values: number[], lowest: number | null): number[] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
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
