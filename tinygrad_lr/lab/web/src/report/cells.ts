/** Cells of the report's tables: numbers as people read them, and where a long word may be broken. */

import { element, shown, withMinus } from "../common/page";

const NUMBER = /(?<![\w.-])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])/g;

/** The values of a row with six significant digits, unless two that differ would look the same. */
export function inBrief(cells: string[]): string[] {
  const brief = cells.map(shortened);
  const isClear = new Set(brief).size === new Set(cells).size;
  return (isClear ? brief : cells).map(asRead);
}

/** A cell of numbers alone: 0.012145748987854251 is 0.0121457. Whole numbers keep their digits. */
function shortened(cell: string): string {
  if (!isOfNumbers(cell)) return cell;
  return cell.replace(NUMBER, (number) => {
    if (/^-?\d+$/.test(number)) return number;
    const brief = shown(Number(number));
    return Number(brief) === Number(number) ? number : brief;
  });
}

/** A cell of numbers alone as the axes have them: 1e-08 is 1e−8. Any other is as it is. */
export function asRead(cell: string): string {
  return isOfNumbers(cell) ? withMinus(cell.replace(/(e[+-])0+(?=\d)/g, "$1")) : cell;
}

/** Whether a cell has one number, or several with commas or ± between. */
function isOfNumbers(cell: string): boolean {
  return cell !== "" && /^[,± ]*$/.test(cell.replace(NUMBER, ""));
}

/** Whether a cell stands in one line. */
export function isOneNumber(cell: string): boolean {
  return isOfNumbers(cell) && !/[,±]/.test(cell);
}

/** A text that may also be broken before a method, and after a bracket or an underscore. */
export function breakable(text: string): (string | Node)[] {
  return text
    .split(/(?=\.[a-z])|(?<=\()(?=[a-z])|(?<=\w_)(?=\w)/)
    .flatMap((part, place) => (place ? [element("wbr"), part] : [part]));
}
