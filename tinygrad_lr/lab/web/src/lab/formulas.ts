// The printed formulas: see tinygrad_lr/lab/formulas.py, which writes them. They are packed, for they are long.
import type { Values } from "./engine";

interface Formulas {
  lines: string[];
  of: Record<string, Record<string, Record<string, number[]>>>;
  symbols: Record<string, Record<string, string[]>>;
}

let known: Formulas | null = null;

/** Unpack the formulas. A browser that cannot do so has the page without them. */
export async function unpack(packed: string): Promise<void> {
  if (!("DecompressionStream" in window)) return;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  known = (await new Response(stream).json()) as Formulas;
}

/** The lines for a dialect with some values of its own, as MathML; and whether they fit all of these values. */
export function formulaOf(
  name: string,
  dialect: string,
  defaults: Values,
  values: Values,
): { lines: string[]; fits: boolean } {
  const found = known?.of[name]?.[dialect];
  if (!known || !found) return { lines: [], fits: true };
  const turned = Object.keys(values).filter((key) => key !== "lr" && isTurned(defaults[key], values[key]));
  const different = turned.filter((key) => found[key]);
  const other = turned.filter((key) => typeof values[key] === "string");
  const numbers = found[different[0] ?? ""] ?? [];
  return { lines: numbers.map((number) => known!.lines[number]!), fits: different.length < 2 && !other.length };
}

/** Whether a value switches something on or off that a default does not. */
function isTurned(usual: unknown, value: unknown): boolean {
  if (typeof usual === "number" && typeof value === "number") return (usual === 0) !== (value === 0);
  return typeof usual !== "number" && !Array.isArray(usual) && usual !== value;
}

/** Whether bias corrections are all that the number of the step is for: t stands in lines of m^ and its kin alone. */
export function isCorrected(name: string, dialect: string): boolean {
  const numbers = known?.of[name]?.[dialect]?.[""] ?? [];
  const counting = numbers.map((number) => known!.lines[number]!).filter((line) => line.includes('data-name="t"'));
  return counting.length > 0 && counting.every((line) => line.startsWith('<math><mrow><mover data-name="'));
}

/** The symbols of an optimizer's hyperparameters and states. */
export function symbolsOf(name: string): Record<string, string[]> {
  return known?.symbols[name] ?? {};
}
