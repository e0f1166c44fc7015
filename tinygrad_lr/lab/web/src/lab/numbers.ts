// How numbers are written for people, and for Python.
import { withMinus } from "../common/page.ts";

/** A number with so many significant digits, in plain or scientific notation. */
export function shown(x: number, digits = 4): string {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const plain = Math.abs(x) >= 1e-4 && Math.abs(x) < 1e6;
  const text = plain ? String(Number(x.toPrecision(digits))) : exponential(x, digits);
  return withMinus(text);
}

function exponential(x: number, digits: number): string {
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${Number(exponent)}`;
}

/** A float64 as Python writes it, so that it reads the same bits. */
export function inPython(x: number): string {
  if (Number.isNaN(x)) return 'float("nan")';
  if (!Number.isFinite(x)) return x > 0 ? 'float("inf")' : '-float("inf")';
  const text = Object.is(x, -0) ? "-0" : String(x);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Rounded to so many significant digits: what a slider gives. */
export function rounded(x: number, digits = 3): number {
  return Number(x.toPrecision(digits));
}

export function clamped(x: number, least: number, most: number): number {
  return Math.min(Math.max(x, least), most);
}
