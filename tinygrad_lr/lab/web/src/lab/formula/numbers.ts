// A line with numbers in the place of its names: a tree again, which mathml.ts draws.
import { seesAll, type Quantity } from "./arrays.ts";
import { elementOf, type Quantities } from "./explain.ts";
import { withParts, partsOf, type Node } from "./notation.ts";

/** A number with so many significant digits, with a power of ten where it is very small or large. */
export function numberNode(value: number, digits: number): Node {
  if (Number.isNaN(value)) return ["number", "NaN"];
  if (value < 0) return ["group", ["negative", numberNode(-value, digits)]];
  if (value === Infinity) return ["number", "∞"];
  if (value === 0 || (value >= 1e-4 && value < 1e6)) return ["number", String(Number(value.toPrecision(digits)))];
  const [mantissa, exponent] = value
    .toExponential(digits - 1)
    .split("e")
    .map(Number) as [number, number];
  const power: Node = ["number", String(Math.abs(exponent))];
  const scale: Node = ["^", ["number", "10"], exponent < 0 ? ["group", ["negative", power]] : power];
  return mantissa === 1 ? scale : ["*", ["number", String(mantissa)], scale];
}

function arrayNode(value: Quantity, digits: number): Node {
  if (typeof value === "number") return numberNode(value, digits);
  const elements = Array.from(value.data, (each) => numberNode(each, digits));
  return elements.length === 1 ? elements[0]! : ["call", "", elements.map(bare)];
}

function bare(node: Node): Node {
  return node[0] === "group" ? node[1] : node;
}

/** An expression with the numbers of one element. What sees a whole array shows all of its elements. */
export function withNumbers(node: Node, names: Quantities, axis: number, digits = 4, whole = false): Node {
  if (node[0] === "name") {
    const value = names[node[1]]!;
    const element = elementOf(value, axis, 2);
    return whole || element === null ? arrayNode(value, digits) : numberNode(element, digits);
  }
  const inside = whole || (node[0] === "call" && seesAll(node[1]));
  const parts = partsOf(node).map((each) => withNumbers(each, names, axis, digits, inside));
  if (node[0] === "if") [parts[0], parts[3]] = [bare(parts[0]!), bare(parts[3]!)];
  if (node[0] === "group" && (parts[0]![0] === "number" || parts[0]![0] === "group")) return parts[0]!;
  if (node[0] === "^" && (parts[0]![0] === "*" || parts[0]![0] === "^")) parts[0] = ["group", parts[0]!];
  return withParts(node, parts);
}

/** The value of a line for one element, or all its elements where it has none for this one. */
export function valueNode(value: Quantity, axis: number, digits = 6): Node {
  const element = elementOf(value, axis, 2);
  return bare(element === null ? arrayNode(value, digits) : numberNode(element, digits));
}
