// The value of an expression in float64, as verify/language/notation.py evaluates it.
import { elementwise, FUNCTIONS, type Quantity } from "./arrays.ts";
import type { Comparison, Node, Operator } from "./notation.ts";

/** Powers rounded once: Math.pow differs between browsers in the last bit. */
export type Power = (base: number, exponent: number) => number;

const COMPARED: Record<Comparison, (x: number, y: number) => boolean> = {
  "<": (x, y) => x < y,
  ">": (x, y) => x > y,
  "<=": (x, y) => x <= y,
  ">=": (x, y) => x >= y,
};

/** The value of an expression, from the values of its names. Throws an Error where a name has none. */
export function evaluate(node: Node, values: Record<string, Quantity>, power: Power): Quantity {
  const of = (each: Node) => evaluate(each, values, power);
  switch (node[0]) {
    case "number":
      return Number(node[1]);
    case "name":
      if (!Object.hasOwn(values, node[1])) throw new Error(`${node[1]} has no value here`);
      return values[node[1]]!;
    case "call":
      return FUNCTIONS[node[1]]!(...node[2].map(of));
    case "if": {
      const [, chosen, [comparison, left, right], otherwise] = node;
      const holds = COMPARED[comparison];
      return elementwise((a, b, one, other) => (holds(a, b) ? one : other))(
        of(left),
        of(right),
        of(chosen),
        of(otherwise),
      );
    }
    case "group":
      return of(node[1]);
    case "negative":
      return elementwise((x) => -x)(of(node[1]));
    default:
      return operations(power)[node[0]](of(node[1]), of(node[2]));
  }
}

type Operations = Record<Operator, (x: Quantity, y: Quantity) => Quantity>;

const PLAIN = {
  "+": elementwise((x, y) => x + y),
  "-": elementwise((x, y) => x - y),
  "*": elementwise((x, y) => x * y),
  "/": elementwise((x, y) => x / y),
};
const kept = new Map<Power, Operations>();

function operations(power: Power): Operations {
  let found = kept.get(power);
  if (!found) {
    found = { ...PLAIN, "^": elementwise((x, y) => (y === 2 ? x * x : power(x, y))) };
    kept.set(power, found);
  }
  return found;
}
