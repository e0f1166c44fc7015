// What lies under the glass: a formula's lines with the numbers of one step, and what a step changes.
import { h } from "./dom";
import type { Quantity } from "./formula/arrays";
import { elementOf, explained, type Explained, type Rule } from "./formula/explain";
import { lineAsMathml, mathml, numbersAsMathml, symbolAsMathml } from "./formula/mathml";
import { parse, type Line } from "./formula/notation";
import { valueNode, withNumbers } from "./formula/numbers";
import { shown } from "./numbers";
import type { Look } from "./paths";
import { t, textOr } from "./text";

export interface Glass {
  rule: Rule;
  said: Explained;
  look: Look;
  axis: number;
}

/** What the formula says of a step that the kernel has made. Throws an Error where it says nothing. */
export function glassOf(rule: Rule, look: Look, axis: number): Glass {
  const { step, before, gradient, kept } = look;
  return { rule, said: explained(rule, { step, theta: before, gradient, states: kept }), look, axis };
}

/** Lines of a formula's language as elements. The texts are the package's own. */
function math(text: string, kind: string): HTMLElement {
  const found = h("div", { class: kind });
  found.innerHTML = text;
  return found;
}

/** Every line, below it its numbers, and the line that a rule without a term has in its place. */
export function linesOf({ said, axis }: Glass, without: Rule | null): HTMLElement[] {
  const others = without?.lines.length === said.told.length ? without.lines : null;
  return said.told.map(({ line, names, value }, i) => {
    const numbers = numbersAsMathml(withNumbers(line.expression, names, axis), valueNode(value, axis));
    const other = others && lineAsMathml(others[i]!) !== lineAsMathml(line) ? others[i]! : null;
    return h(
      "li",
      {},
      math(lineAsMathml(line), "line"),
      math(numbers, "numbers"),
      other && h("div", { class: "instead" }, t("instead"), " ", math(lineAsMathml(other), "line")),
    );
  });
}

/** The lines of a formula before the first step: without numbers. */
export function plainLines(lines: Line[]): HTMLElement[] {
  return lines.map((line) => h("li", {}, math(lineAsMathml(line), "line")));
}

interface Row {
  name: string;
  symbol?: string; // MathML
  code?: string; // the name in Python
  cells: string[]; // before, after by the formula, after by the rule
}

/** What the step found and left: theta, the gradient, the states, and what the formula says of the update. */
export function rowsOf({ rule, said, look, axis }: Glass): HTMLElement[] {
  const of = (value: Quantity | undefined) => {
    const element = value === undefined ? null : elementOf(value, axis, 2);
    return element === null ? "" : shown(element, 7);
  };
  const after = elementOf(said.after.theta!, axis, 2)!;
  const [before, gradient] = [look.before[axis]!, look.gradient[axis]!];
  const states = Object.entries(rule.formula.states).filter(([, symbol]) => symbol in said.after);
  const rows: Row[] = [
    { name: t("gradient"), symbol: "g", cells: [of(said.before.g), "", ""] },
    { name: t("weight"), symbol: "theta", cells: [of(said.before.theta), of(said.after.theta), shown(look.after[axis]!, 7)] },
    ...states.map(([code, symbol]): Row => {
      const kernel = look.states[code]?.[axis] ?? look.states[code]?.[0] ?? look.numbers[code];
      const name = textOr(`state_${code}`, t("state"));
      return { name, symbol, code, cells: [of(said.before[symbol]), of(said.after[symbol]), kernel === undefined ? "" : shown(kernel, 7)] };
    }),
  ];
  const changes = [after - before, look.after[axis]! - before];
  const rates = changes.map((each) => (gradient === 0 ? "—" : shown(-each / gradient, 7)));
  const ofStep: Row[] = [
    ...(look.rate === null ? [] : [{ name: t("rateInForce"), symbol: "lr", cells: [shown(look.rate, 7), "", ""] }]),
    ...said.corrections.map(([text, value]): Row => {
      return { name: t("correction"), symbol: text, cells: ["", shown(value, 7), ""] };
    }),
    ...(said.decay === 0 ? [] : [{ name: t("decayPart"), cells: ["", of(said.decay), ""] }]),
    { name: t("change"), cells: ["", ...changes.map((each) => shown(each, 7))] },
    { name: t("effective"), cells: ["", ...rates] },
  ];
  return [...rows, ...ofStep].map(rowOf);
}

/** The numbers that the rule was called with: what the host computed for it in float64. */
export function scalarRows(look: Look): HTMLElement[] {
  return Object.entries(look.scalars).map(([code, value]) =>
    rowOf({ name: textOr(`scalar_${code}`, t("scalar")), code, cells: [shown(value, 7)] }),
  );
}

function rowOf({ name, symbol, code, cells }: Row): HTMLElement {
  const head = h("th", { scope: "row" }, name);
  if (symbol) head.append(" ", mathOf(symbol));
  if (code) head.append(" ", h("code", {}, code));
  return h("tr", {}, head, ...cells.map((text) => h("td", {}, text)));
}

/** A symbol, or an expression such as 1-beta1^t. */
function mathOf(text: string): HTMLElement {
  const drawn = /^\w+\^?$/.test(text) ? symbolAsMathml(text) : mathml(parse(`y = ${text}`).expression);
  const found = h("span", {});
  found.innerHTML = `<math>${drawn}</math>`;
  return found;
}
