// A formula with the values of its hyperparameters, and what one step of it does, line by line: as `optimizer.explain` says.
import type { Formula, Value, Values } from "../engine";
import { matrix, type Quantity } from "./arrays.ts";
import { evaluate, type Power } from "./evaluate.ts";
import { namesIn, parse, partsOf, type Line, type Node } from "./notation.ts";

export type Quantities = Record<string, Quantity>;

/** A formula's lines under some hyperparameters, whose values are known by their symbols. */
export interface Rule {
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

/** The formula's rule for an optimizer's values; those that the formula does not have say nothing to it. */
export function ruleOf(formula: Formula, values: Values): Rule {
  const known = Object.entries(values).filter(([name]) => name === "lr" || Object.hasOwn(formula.defaults, name));
  const settings = { ...formula.defaults, ...Object.fromEntries(known) };
  const constants: Quantities = {};
  for (const [name, value] of Object.entries(settings)) {
    const symbol = formula.symbols[name] ?? name;
    const [symbols, numbers] = Array.isArray(symbol) ? [symbol, value as Value[]] : [[symbol], [value]];
    numbers.forEach((each, i) => {
      if (typeof each === "number" && i < symbols.length) constants[symbols[i]!] = each;
    });
  }
  return { formula, settings, lines: formula.lines(settings).map(parse), constants };
}

/** An array of the parameter, or one number for all of it. */
export function quantity(value: ArrayLike<number> | number): Quantity {
  if (typeof value === "number") return value;
  return value.length === 1 ? value[0]! : matrix(1, value.length, value);
}

/** The states before the first step, by their symbols. */
export function startOf({ formula, settings }: Rule, theta: ArrayLike<number>): Quantities {
  const found: Quantities = {};
  for (const [name, value] of Object.entries(formula.start(settings, Float64Array.from(theta)))) {
    const whole = formula.startsWhole || typeof value !== "number";
    found[formula.states[name]!] = quantity(whole ? value : new Float64Array(theta.length).fill(value as number));
  }
  return found;
}

/** Evaluate the lines one after another; `values` are changed as they say. */
export function run(lines: Line[], values: Quantities, power: Power): void {
  for (const { name, expression } of lines) values[name] = evaluate(expression, values, power);
}

/** What one step does. Throws an Error where a state is missing that the formula has. */
export function explained(formula: Formula, given: Values, place: Place, power: Power): Explained {
  const rule = ruleOf(formula, given);
  const before = begin(rule, place, power);
  const values = { ...before };
  const told = rule.lines.map((line, i): Told => {
    const names = Object.fromEntries(namesIn(line.expression).map((name) => [name, values[name]!]));
    run([line], values, power);
    return { text: formula.lines(rule.settings)[i]!, line, names, value: values[line.name]! };
  });
  const symbols = ["theta", ...statesOf(rule, place)];
  const pick = (from: Quantities, names: string[]) => Object.fromEntries(names.map((name) => [name, from[name]!]));
  return {
    told,
    before: pick(before, ["theta", "g", ...symbols.slice(1), ...Object.keys(formula.memory)]),
    after: pick(values, symbols),
    corrections: correctionsOf(rule, before, power),
    decay: evaluate(["-", ["name", "with"], ["name", "without"]], partOfDecay(rule, values, place, power), power),
  };
}

/** All that has a value before a step. */
function begin(rule: Rule, { step, theta, gradient, states }: Place, power: Power): Quantities {
  const { formula, constants } = rule;
  const found: Quantities = { ...constants, ...remembered(rule, step, power), ...startOf(rule, theta) };
  for (const name of Object.keys(formula.start(rule.settings, Float64Array.from(theta)))) {
    if (step === 1) break;
    if (states[name] === undefined) throw new Error(`the state has no ${name}, which the formula has`);
    found[formula.states[name]!] = quantity(states[name]!);
  }
  return { ...found, theta: quantity(theta), g: quantity(gradient), t: step };
}

function statesOf(rule: Rule, { theta }: Place): string[] {
  return Object.keys(startOf(rule, theta));
}

/** What the lines carry along without its being a state (NAdam's product): it is followed from the first step. */
export function remembered({ formula, constants, lines }: Rule, step: number, power: Power): Quantities {
  const values: Quantities = { ...constants, ...formula.memory };
  const names = Object.keys(formula.memory);
  if (!names.length) return {};
  const needed = new Set(names);
  for (const { name, expression } of [...lines].reverse()) {
    if (needed.has(name)) namesIn(expression).forEach((each) => needed.add(each));
  }
  const its = lines.filter(({ name }) => needed.has(name));
  for (let t = 1; t < step; t++) run(its, Object.assign(values, { t }), power);
  return Object.fromEntries(names.map((name) => [name, values[name]!]));
}

/** Theta after the step, with weight decay and without. */
function partOfDecay({ formula, settings }: Rule, after: Quantities, place: Place, power: Power): Quantities {
  if (!settings.weight_decay) return { with: 0, without: 0 };
  const rule = ruleOf(formula, { ...settings, weight_decay: 0 });
  const values = begin(rule, place, power);
  run(rule.lines, values, power);
  return { with: after.theta!, without: values.theta! };
}

/** The factors 1 - beta^t of the lines, and their values. */
function correctionsOf({ lines }: Rule, values: Quantities, power: Power): [string, number][] {
  const found = new Map<string, number>();
  for (const node of lines.flatMap(({ expression }) => correctionsIn(expression))) {
    found.set(`1-${node[2][1][1]}^t`, evaluate(node, values, power) as number);
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
