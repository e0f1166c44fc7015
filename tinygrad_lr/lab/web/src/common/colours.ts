/** Curves are told apart by colours, which chart.css has, and by dashes. */

const COLOURS = 7;
const DASHES: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

/** The name in the style sheet of the colour of the curve with this number. */
export function colour(number: number): string {
  return `--curve${number % COLOURS}`;
}

/** The dashes of the curve with this number: none for the first. */
export function dashes(number: number): number[] {
  return DASHES[number % DASHES.length]!;
}
