// What the page asks of the engine: the package's own rules, schedules and surfaces, translated from Python.
// `tinygrad_lr/lab/engine.py` writes a script that defines `const engine: Engine`.

export type Value = number | boolean | string | null | Value[];
export type Values = Record<string, Value>;
export type Point = [number, number];
export type Kind = "number" | "integer" | "flag" | "choice" | "numbers";

export type Said = [english: string, chinese?: string]; // what the package's tables and docstrings say

export interface Hyperparameter {
  name: string;
  about: Said;
  kind: Kind;
  choices?: string[];
  length?: number;
}

export interface OptimizerInfo {
  about: Said; // first sentence of the docstring
  title: string; // the class's name
  family: Said; // under which heading lists have it
  needs?: string; // what its caller gives besides gradients, where it does not do without: the page gives nothing else
  dialects: Record<string, Values>; // every hyperparameter's default in each dialect; the first dialect is in force
  hyperparameters: Hyperparameter[];
}

export interface Group {
  values: Values; // all hyperparameters, "lr" among them; may be changed between steps
  params: { shape: number[]; value: Float32Array }[];
}

export interface GivenGroup {
  values: Values; // all hyperparameters
  params: { shape: number[]; value: number[] }[];
}

export interface Run {
  groups: Group[];
  steps: number;
  step(grads: Float32Array[][]): void; // grads[group][param], flat; updates values and states in place
  states(group: number, param: number): Record<string, Float32Array | Float64Array>; // by torch's names
  numbers(group: number, param: number): Record<string, number>;
  scalars(group: number): Record<string, number>; // of the last step, float64, as the host computed them
  copy(): Run;
}

export interface Schedule {
  value(step: number): number;
  values(steps: number[]): Float64Array;
  totalSteps: number | null;
  range: Point;
  written: string; // Python's code that builds it
  then(other: Schedule): Schedule;
  times(factor: number): Schedule;
  clip(min: number | null, max: number | null): Schedule;
  repeat(n: number): Schedule;
  shift(n: number): Schedule;
  phases(): { start: number; stop: number | null; written: string }[];
}

export interface Argument {
  name: string;
  kind: "integer" | "number" | "flag" | "choice" | "integers" | "numbers";
  default: Value;
  required: boolean;
  choices?: string[];
}

export interface ScheduleInfo {
  about: Said;
  arguments: Argument[];
  build(args: Values): Schedule; // throws an Error with Python's message on bad arguments
}

export interface SurfaceInfo {
  about: Said;
  start: Point;
  minimum: Point | null; // a place where it is least; null where there are more than two
  twin: Point | null; // the other place where it is least, of a surface with two
  seen: [Point, Point]; // the ranges of x and y that a picture shows
  arguments: { name: string; least: number; default: number }[];
  value(x: number, y: number, args: Record<string, number>): number;
  gradient(x: number, y: number, args: Record<string, number>): Point;
}

// The mean of (x first + y second - target)^2 over rows, all of them where no numbers of rows are given. There is no bias:
// all columns have mean 0.
export interface TableSurface {
  minimum: Point;
  value(x: number, y: number, rows?: number[]): number;
  gradient(x: number, y: number, rows?: number[]): Point;
}

// A formula of the papers, as the package's verification prints it. The functions take all its hyperparameters.
export interface Formula {
  source: string; // where it was published
  states: Record<string, string>; // the states' names, and their symbols
  memory?: Record<string, number>; // what else the lines carry from step to step, and with what it starts
  lines(settings: Values): string[];
  // The states before step 1: arrays like theta or numbers, or the numbers that fill arrays like theta.
  start?(settings: Values, theta: Float64Array): Record<string, Float64Array | number>;
  filled?(settings: Values): Record<string, number>;
}

export interface Engine {
  optimizers: Record<string, OptimizerInfo>;
  schedules: Record<string, ScheduleInfo>;
  surfaces: Record<string, SurfaceInfo>; // "parabola" among them, of one parameter
  tableSurface(first: number[], second: number[], target: number[]): TableSurface;
  order(seed: number, epoch: number, samples: number): number[]; // the samples of an epoch, as a DataLoader has them
  formulas: Record<string, Formula>; // by the optimizers' names; some have none
  symbols: Record<string, string | string[]>; // of hyperparameters, where the lines call them otherwise
  power(base: number, exponent: number): number; // rounded once, the same in every browser
  start(name: string, groups: GivenGroup[]): Run; // throws an Error with Python's message where values are refused
  float32Rate(rate: number): number;
}
