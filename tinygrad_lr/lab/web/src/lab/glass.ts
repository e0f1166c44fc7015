// What lies under the glass: a formula's lines with the numbers of one step, and what a step changes. glass_view.ts shows it.
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

/** A line as it is drawn, in MathML: the formula's, its numbers, and what a rule without a term has in its place. */
export interface DrawnLine {
  line: string;
  numbers: string;
  instead: string;
}

/** Every line with the numbers of the step. */
export function linesOf({ said, axis }: Glass, without: Rule | null): DrawnLine[] {
  const others = without?.lines.length === said.told.length ? without.lines : null;
  return said.told.map(({ line, names, value }, i) => {
    const [own, other] = [lineAsMathml(line), others ? lineAsMathml(others[i]!) : ""];
    const numbers = numbersAsMathml(withNumbers(line.expression, names, axis), valueNode(value, axis));
    return { line: own, numbers, instead: other === own ? "" : other };
  });
}

/** The lines of a formula before the first step: without numbers. */
export function plainLines(lines: Line[]): DrawnLine[] {
  return lines.map((line) => ({ line: lineAsMathml(line), numbers: "", instead: "" }));
}

/** A row of a table of numbers. */
export interface Row {
  name: string;
  symbol?: string; // in the formulas' language
  code?: string; // the name in Python
  cells: string[];
}

/** What the step found and left, and what the formula says of it: before, after by the formula, after by the rule. */
export function rowsOf({ rule, said, look, axis }: Glass): Row[] {
  const of = (value: Quantity | undefined) => {
    const element = value === undefined ? null : elementOf(value, axis, 2);
    return element === null ? "" : shown(element, 7);
  };
  const after = elementOf(said.after.theta!, axis, 2)!;
  const [before, gradient] = [look.before[axis]!, look.gradient[axis]!];
  const states = Object.entries(rule.formula.states).filter(([, symbol]) => symbol in said.after);
  const rows: Row[] = [
    { name: t("gradient"), symbol: "g", cells: [of(said.before.g), "", ""] },
    {
      name: t("weight"),
      symbol: "theta",
      cells: [of(said.before.theta), of(said.after.theta), shown(look.after[axis]!, 7)],
    },
    ...states.map(([code, symbol]): Row => {
      const kernel = look.states[code]?.[axis] ?? look.states[code]?.[0] ?? look.numbers[code];
      const name = textOr(`state_${code}`, t("state"));
      return {
        name,
        symbol,
        code,
        cells: [of(said.before[symbol]), of(said.after[symbol]), kernel === undefined ? "" : shown(kernel, 7)],
      };
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
  return [...rows, ...ofStep];
}

/** The numbers that the rule was called with: what the host computed for it in float64. */
export function scalarRows(look: Look): Row[] {
  return Object.entries(look.scalars).map(([code, value]): Row => {
    return { name: textOr(`scalar_${code}`, t("scalar")), code, cells: [shown(value, 7)] };
  });
}

/** A symbol, or an expression such as 1-beta1^t, in MathML. */
export function symbolOrExpression(text: string): string {
  const drawn = /^\w+\^?$/.test(text) ? symbolAsMathml(text) : mathml(parse(`y = ${text}`).expression);
  return `<math>${drawn}</math>`;
}
