/** Colours that colour-blind people can tell apart (Okabe and Ito, "Color Universal Design", 2008), and dashes beside them. */

const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const DARK = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#ffffff"];
const DASHES: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

/** The colour of the curve with this number, for the scheme that the browser has now. */
export function colour(number: number): string {
  const colours = matchMedia("(prefers-color-scheme: dark)").matches ? DARK : LIGHT;
  return colours[number % colours.length]!;
}

/** The dashes of the curve with this number: none for the first. */
export function dashes(number: number): number[] {
  return DASHES[number % DASHES.length]!;
}

/** A colour of the style sheet, such as "--line". */
export function named(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
