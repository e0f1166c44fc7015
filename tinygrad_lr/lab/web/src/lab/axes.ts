// Axes: the places of numbers on a line of pixels, plain or logarithmic, and the numbers that are written beside it.
import { shown } from "./numbers";

export interface Axis {
  min: number;
  max: number;
  log?: boolean;
  label: string;
}

/** The place of a number between two pixels. */
export function placer(axis: Axis, from: number, to: number): (x: number) => number {
  const [low, high] = axis.log ? [Math.log10(axis.min), Math.log10(axis.max)] : [axis.min, axis.max];
  const scale = (to - from) / (high - low || 1);
  return axis.log ? (x) => from + (Math.log10(x) - low) * scale : (x) => from + (x - low) * scale;
}

/** The number at a place. */
export function reader(axis: Axis, from: number, to: number): (place: number) => number {
  const [low, high] = axis.log ? [Math.log10(axis.min), Math.log10(axis.max)] : [axis.min, axis.max];
  const scale = (high - low) / (to - from || 1);
  return axis.log ? (place) => 10 ** (low + (place - from) * scale) : (place) => low + (place - from) * scale;
}

/** Round numbers of an axis, about so many. */
export function ticks(axis: Axis, about: number): number[] {
  return axis.log ? logTicks(axis.min, axis.max, about) : linearTicks(axis.min, axis.max, about);
}

export function linearTicks(min: number, max: number, about: number): number[] {
  const span = max - min;
  if (!(span > 0) || !Number.isFinite(span)) return [min];
  const raw = span / Math.max(about, 1);
  const unit = 10 ** Math.floor(Math.log10(raw));
  const factor = [1, 2, 5, 10].find((each) => each * unit >= raw) ?? 10;
  const step = factor * unit;
  const found: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + 1e-9 * span; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

function logTicks(min: number, max: number, about: number): number[] {
  const [low, high] = [Math.log10(min), Math.log10(max)];
  const decades = high - low;
  if (decades < 0.7) return linearTicks(min, max, about).filter((each) => each > 0);
  const are = (most: number, each: number) => decades < most || decades * each <= about; // one number says little
  const mantissas = are(1, 3) ? [1, 2, 5] : are(2, 2) ? [1, 3] : [1];
  const every = Math.max(1, Math.ceil(decades / about));
  const found: number[] = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    if (power % every) continue;
    for (const mantissa of mantissas) {
      const tick = Number(`${mantissa}e${power}`);
      if (tick >= min * (1 - 1e-9) && tick <= max * (1 + 1e-9)) found.push(tick);
    }
  }
  return found;
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** How a tick is written; powers of ten far from 1 as powers. */
export function tickText(x: number, log = false): string {
  const power = Math.log10(Math.abs(x));
  if (log && Number.isInteger(Number(power.toFixed(9))) && Math.abs(power) > 4) {
    const digits = [...String(Math.abs(Math.round(power)))].map((digit) => RAISED[Number(digit)]).join("");
    return `10${power < 0 ? "⁻" : ""}${digits}`;
  }
  return shown(x, 5);
}
