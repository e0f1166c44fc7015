// What a formula is when one of its terms is left out: its tree is changed, not the rule that trains.
import type { Value, Values } from "../engine";
import { having, type Rule } from "./explain.ts";
import { namesIn, partsOf, withParts, type Line, type Node } from "./notation.ts";

export type Term = "momentum" | "corrections" | "denominator" | "epsilon" | "decay";

export const TERMS: readonly Term[] = ["momentum", "corrections", "denominator", "epsilon", "decay"];

const ONE: Node = ["number", "1"];

/** The rule without a term; null where the formula has no such term. */
export function ruleWithout(rule: Rule, term: Term): Rule | null {
  const patch = patchFor(rule, term);
  if (patch) return having(rule, patch);
  const change = term === "corrections" ? uncorrected(rule) : term === "denominator" ? undivided(rule) : null;
  if (!change) return null;
  const lines = rule.lines.map((line) => ({ ...line, expression: change(line.expression, line) }));
  return JSON.stringify(lines) === JSON.stringify(rule.lines) ? null : { ...rule, lines };
}

/** The hyperparameters that leave a term out, where some do. */
function patchFor({ means, settings, lines, constants }: Rule, term: Term): Values | null {
  const used = new Set(lines.flatMap(({ expression }) => namesIn(expression)));
  const counts = (symbol: string) =>
    used.has(symbol) && typeof constants[symbol] === "number" && constants[symbol] !== 0;
  const { betas, momentum, weight_decay: decay } = settings;
  if (term === "momentum") {
    if (Array.isArray(betas) && counts("beta1") && !divides(lines, "beta1")) return { betas: [0, ...betas.slice(1)] };
    return typeof momentum === "number" && counts("mu") ? { momentum: 0 } : null;
  }
  if (term === "decay") return decay && counts("lambda") ? { weight_decay: 0 } : null;
  if (term !== "epsilon") return null;
  const none = (value: Value): Value => (Array.isArray(value) ? value.map(none) : 0);
  const found = Object.entries(settings).filter(([name, value]) => {
    const symbols = [means.symbols[name] ?? name].flat();
    const isNumber = [value].flat().every((each) => typeof each === "number");
    return isNumber && symbols.every((each) => each.startsWith("eps")) && symbols.some(counts);
  });
  return found.length ? Object.fromEntries(found.map(([name, value]) => [name, none(value)])) : null;
}

/** Whether something is divided by a name alone, which then cannot be 0. */
function divides(lines: Line[], name: string): boolean {
  const inside = (node: Node): boolean =>
    (node[0] === "/" && node[2][0] === "name" && node[2][1] === name) || partsOf(node).some(inside);
  return lines.some(({ expression }) => inside(expression));
}

type Change = (expression: Node, line: Line) => Node;

/** Change every node for which `change` gives another one; parentheses around a 1 go, too. */
function replaced(node: Node, change: (node: Node) => Node | null): Node {
  const found =
    change(node) ??
    withParts(
      node,
      partsOf(node).map((each) => replaced(each, change)),
    );
  return found[0] === "group" && found[1] === ONE ? ONE : found;
}

/** The names whose values depend on some names, through all lines. */
function dependents(lines: Line[], on: Iterable<string>): Set<string> {
  const found = new Set(on);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { name, expression } of lines) if (namesIn(expression).some((each) => found.has(each))) found.add(name);
  }
  return found;
}

/** Every correction of a moment, 1 - beta^t or 1 less a product of all steps, becomes 1. */
function uncorrected({ formula, lines }: Rule): Change {
  const measured = dependents(lines, ["g", "theta", ...Object.values(formula.states)]);
  const memory = new Set(Object.keys(formula.memory ?? {}));
  const isCorrection = (node: Node): boolean => {
    if (node[0] !== "-" || node[1][0] !== "number" || node[1][1] !== "1") return false;
    const [taken, names] = [node[2], namesIn(node[2])];
    if (names.some((each) => memory.has(each))) return true;
    return taken[0] === "^" && taken[1][0] === "name" && namesIn(taken[2]).includes("t");
  };
  return (expression) => {
    if (!namesIn(expression).some((each) => measured.has(each))) return expression;
    return replaced(expression, (node) => (isCorrection(node) ? ONE : null));
  };
}

/** Every root of what was summed up over the steps becomes 1, and so does the correction of such a root. */
function undivided({ formula, lines }: Rule): Change {
  const states = Object.values(formula.states);
  const summed = dependents(
    lines.filter(({ name }) => name !== "theta"),
    states.filter((each) => each !== "theta_0"),
  );
  const sizes = new Set(lines.filter(({ expression }) => isLargest(expression)).map(({ name }) => name));
  const isRoot = (node: Node): boolean => {
    if (node[0] !== "call" || (node[1] !== "sqrt" && node[1] !== "cbrt")) return false;
    const inside = node[2][0]!;
    const isCorrection = inside[0] === "-" && inside[2][0] === "^" && namesIn(inside).includes("t");
    return isCorrection || namesIn(inside).some((each) => summed.has(each));
  };
  const isSize = (node: Node): boolean => node[0] === "name" && sizes.has(node[1]);
  return (expression, { name }) =>
    replaced(expression, (node) => {
      if (isRoot(node)) return ONE;
      if (name !== "theta" || node[0] !== "/") return null;
      const divisor = node[2][0] === "group" ? node[2][1] : node[2];
      if (!isSize(divisor) && !(divisor[0] === "+" && isSize(divisor[1]))) return null;
      return ["/", replaced(node[1], (each) => (isRoot(each) ? ONE : null)), ONE];
    });
}

/** Whether a line keeps the largest size of the gradients so far: Adamax's u. */
function isLargest(expression: Node): boolean {
  const ofGradient = (node: Node): boolean =>
    (node[0] === "call" && node[1] === "abs" && node[2][0]![0] === "name" && node[2][0]![1] === "g") ||
    partsOf(node).some(ofGradient);
  return expression[0] === "call" && expression[1] === "max" && ofGradient(expression);
}
