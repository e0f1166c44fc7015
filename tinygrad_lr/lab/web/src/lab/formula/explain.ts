// A formula with the values of its hyperparameters, and what one step of it does, line by line: as `optimizer.explain` says.
import type { Engine, Formula, Value, Values } from "../engine";
import { matrix, type Quantity } from "./arrays.ts";
import { evaluate, type Power } from "./evaluate.ts";
import { namesIn, parse, partsOf, type Line, type Node } from "./notation.ts";

export type Quantities = Record<string, Quantity>;

/** What formulas need of the engine. */
export type Means = Pick<Engine, "symbols" | "power">;

/** A formula's lines under some hyperparameters, whose values are known by their symbols. */
export interface Rule {
  means: Means;
  formula: Formula;
  settings: Values;
  lines: Line[];
  constants: Quantities;
}

/** Where a step begins. The parameter has one row; its states are known by torch's names, and empty before step 1. */
export interface Place {
  step: number; // from 1
  theta: ArrayLike<number>;
  gradient: ArrayLike<number>;
  states: Record<string, ArrayLike<number> | number>;
}

/** A line, the values of its names when it is reached, and its own value. */
export interface Told {
  text: string;
  line: Line;
  names: Quantities;
  value: Quantity;
}

export interface Explained {
  told: Told[];
  before: Quantities; // theta, g, the states and what else is carried along, by their symbols
  after: Quantities; // theta and the states
  corrections: [string, number][]; // the factors 1 - beta^t
  decay: Quantity; // how much of the update comes from weight decay
}

/** The formula's rule for an optimizer's values: all of its hyperparameters. */
export function ruleOf(means: Means, formula: Formula, settings: Values): Rule {
  const constants: Quantities = {};
  for (const [name, value] of Object.entries(settings)) {
    const [symbols, numbers] = [[means.symbols[name] ?? name].flat(), [value].flat() as Value[]];
    numbers.forEach((each, i) => {
      if (typeof each === "number" && i < symbols.length) constants[symbols[i]!] = each;
    });
  }
  return { means, formula, settings, lines: formula.lines(settings).map(parse), constants };
}

/** The same rule with other values of some hyperparameters. */
export function having({ means, formula, settings }: Rule, patch: Values): Rule {
  return ruleOf(means, formula, { ...settings, ...patch });
}

/** An array of the parameter, or one number for all of it. */
export function quantity(value: ArrayLike<number> | number): Quantity {
  if (typeof value === "number") return value;
  return value.length === 1 ? value[0]! : matrix(1, value.length, value);
}

/** The states before the first step, by their names. */
export function startOf({ formula, settings }: Rule, theta: ArrayLike<number>): Record<string, Quantity> {
  const found = formula.start
    ? Object.entries(formula.start(settings, Float64Array.from(theta)))
    : Object.entries(formula.filled!(settings)).map(
        ([name, value]) => [name, Array(theta.length).fill(value)] as const,
      );
  return Object.fromEntries(found.map(([name, value]) => [name, quantity(value)]));
}

/** States by their symbols. */
export function asSymbols({ formula }: Rule, states: Record<string, Quantity>): Quantities {
  return Object.fromEntries(Object.entries(states).map(([name, value]) => [formula.states[name]!, value]));
}

/** Evaluate the lines one after another; `values` are changed as they say. */
export function run(lines: Line[], values: Quantities, power: Power): void {
  for (const { name, expression } of lines) values[name] = evaluate(expression, values, power);
}

/** What one step does. Throws an Error where a state is missing that the formula has. */
export function explained(rule: Rule, place: Place): Explained {
  const { power } = rule.means;
  const before = begin(rule, place);
  const values = { ...before };
  const texts = rule.formula.lines(rule.settings);
  const told = rule.lines.map((line, i): Told => {
    const names = Object.fromEntries(namesIn(line.expression).map((name) => [name, values[name]!]));
    run([line], values, power);
    return { text: texts[i]!, line, names, value: values[line.name]! };
  });
  const states = Object.keys(asSymbols(rule, startOf(rule, place.theta)));
  const pick = (from: Quantities, names: string[]) => Object.fromEntries(names.map((name) => [name, from[name]!]));
  return {
    told,
    before: pick(before, ["theta", "g", ...states, ...Object.keys(rule.formula.memory ?? {})]),
    after: pick(values, ["theta", ...states]),
    corrections: correctionsOf(rule, before),
    decay: partOfDecay(rule, values.theta!, place),
  };
}

/** All that has a value before a step. */
function begin(rule: Rule, { step, theta, gradient, states }: Place): Quantities {
  const found = startOf(rule, theta);
  for (const name of step > 1 ? Object.keys(found) : []) {
    if (states[name] === undefined) throw new Error(`the state has no ${name}, which the formula has`);
    found[name] = quantity(states[name]!);
  }
  const given = { theta: quantity(theta), g: quantity(gradient), t: step };
  return { ...rule.constants, ...remembered(rule, step), ...asSymbols(rule, found), ...given };
}

/** What the lines carry along without its being a state (NAdam's product): it is followed from the first step. */
export function remembered({ means, formula, constants, lines }: Rule, step: number): Quantities {
  const names = Object.keys(formula.memory ?? {});
  const values: Quantities = { ...constants, ...formula.memory };
  const needed = new Set(names);
  for (const { name, expression } of [...lines].reverse()) {
    if (needed.has(name)) namesIn(expression).forEach((each) => needed.add(each));
  }
  const its = lines.filter(({ name }) => needed.has(name));
  for (let t = 1; t < step && names.length; t++) run(its, Object.assign(values, { t }), means.power);
  return Object.fromEntries(names.map((name) => [name, values[name]!]));
}

/** How much of theta after the step comes from weight decay: what it lacks without. */
function partOfDecay(rule: Rule, theta: Quantity, place: Place): Quantity {
  if (!rule.settings.weight_decay) return 0;
  const undecayed = having(rule, { weight_decay: 0 });
  const values = begin(undecayed, place);
  run(undecayed.lines, values, rule.means.power);
  return evaluate(["-", ["name", "decayed"], ["name", "theta"]], { ...values, decayed: theta }, rule.means.power);
}

/** The factors 1 - beta^t of the lines, and their values. */
function correctionsOf({ means, lines }: Rule, values: Quantities): [string, number][] {
  const found = new Map<string, number>();
  for (const node of lines.flatMap(({ expression }) => correctionsIn(expression))) {
    found.set(`1-${node[2][1][1]}^t`, evaluate(node, values, means.power) as number);
  }
  return [...found];
}

type Correction = ["-", ["number", "1"], ["^", ["name", string], ["name", "t"]]];

function isCorrection(node: Node): node is Correction {
  if (node[0] !== "-" || node[1][0] !== "number" || node[1][1] !== "1" || node[2][0] !== "^") return false;
  const [, base, exponent] = node[2];
  return base[0] === "name" && exponent[0] === "name" && exponent[1] === "t";
}

function correctionsIn(node: Node): Correction[] {
  return [...(isCorrection(node) ? [node] : []), ...partsOf(node).flatMap(correctionsIn)];
}

/** The number of one element of the parameter, or null where a quantity has none: it is of another shape. */
export function elementOf(value: Quantity, axis: number, size: number): number | null {
  if (typeof value === "number") return value;
  if (value.rows !== 1 || (value.columns !== 1 && value.columns !== size)) return null;
  return value.data[value.columns === 1 ? 0 : axis]!;
}
