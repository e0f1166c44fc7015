// "Copy as Python": a program that makes the paths of the page with tinygrad_lr, bit for bit.
import type { Lab } from "./lab";
import type { OptimizerInfo, Schedule, Value } from "./engine";
import { experiment, groupExperiment, racerNames } from "./experiment";
import { inPython } from "./numbers";
import type { Path } from "./path";
import { scheduleOf } from "./paths";
import { problemOf } from "./problem";
import { dialectsOf, TABLE, type Racer, type State } from "./state";
import { misfitInEnglish } from "./text";

const LOOP = `
def path(optimizer, *weights):
    """The places after 0, 1, ... steps, float32, shape (steps + 1, 2)."""
    rates = [group["lr"] for group in optimizer.param_groups]
    places = []
    for step in range(STEPS + 1):
        places.append(np.concatenate([weight.data.ravel() for weight in weights]))
        x, y = places[-1].tolist()
        gradient = surface.gradient(x, y, step)
        if step == STEPS or not np.isfinite([surface.value(x, y), *gradient]).all():
            return np.array(places)
        for group, rate in zip(optimizer.param_groups, rates):
            if schedule is not None and rate is not None:
                group["lr"] = rate * schedule(step)
        for weight, part in zip(weights, np.split(np.array(gradient, np.float32), len(weights))):
            weight.grad = part.reshape(weight.shape)
        optimizer.step()
`;

const WEIGHT = `
def weight(*start):
    """A parameter of one row, as a Linear(2, 1) has it."""
    return tensor(np.array([start], np.float32), requires_grad=True)
`;

/** The program of section 2: the path of every optimizer. */
export function programOf(lab: Lab): string {
  const { engine, store } = lab;
  const { state } = store;
  const names = racerNames(lab);
  const start = problemOf(lab, state).start.map(inPython).join(", ");
  const { paths } = experiment(lab);
  const runs = state.racers.flatMap((racer, i) =>
    paths[i]!.error === null
      ? [
          `theta = weight(${start})`,
          `paths[${text(names[i]!)}] = path(${call(engine.optimizers[racer.name]!, dialectsOf(engine, racer.name), racer, "[theta]")}, theta)`,
        ]
      : [leftOut(names[i]!, paths[i]!)],
  );
  return program(lab, state, runs);
}

/** The program of section 6: two groups with rates of their own, and with one rate. */
export function programOfGroups(lab: Lab): string {
  const { engine, store } = lab;
  const state: State =
    store.state.surface === TABLE ? store.state : { ...store.state, surface: TABLE, start: null, args: {} };
  const racer = state.racers[state.looked];
  if (!racer) return program(lab, state, []);
  const [x, y] = problemOf(lab, state).start;
  const found = groupExperiment(lab);
  if (!found) return program(lab, state, []);
  const { lr: _, ...values } = racer.values;
  const runs = [["two rates", ...state.rates] as const, ["one rate", state.common, state.common] as const].flatMap(
    ([name, vision, words], i) => {
      const path = i ? found.one : found.two;
      if (path.error !== null) return [leftOut(name, path)];
      const groups = `[{"params": [first], "lr": ${inPython(vision)}}, {"params": [second], "lr": ${inPython(words)}}]`;
      const made = call(engine.optimizers[racer.name]!, dialectsOf(engine, racer.name), { ...racer, values }, groups);
      return [
        `first, second = weight(${inPython(x)}), weight(${inPython(y)})`,
        `paths[${text(name)}] = path(${made}, first, second)`,
      ];
    },
  );
  return program(lab, state, runs);
}

/** What stands in the place of a path that is refused. */
function leftOut(name: string, { error }: Path): string {
  return comment(`Left out, as it is refused: ${name}: ${error ?? ""}`);
}

function comment(said: string): string {
  return `# ${said.replace(/\s+/g, " ")}`;
}

function program({ engine, data }: Lab, state: State, runs: string[]): string {
  const { schedule, error } = scheduleOf(engine, state);
  const onTable = state.surface === TABLE;
  const imports = [
    "import numpy as np",
    "",
    "from tinygrad_lr import optim, tensor",
    `from tinygrad_lr.lab import ${onTable ? "least_squares, rows_of" : "surface_of"}`,
    ...(schedule ? [`from tinygrad_lr.schedules import ${constructors(schedule).join(", ")}`] : []),
  ];
  const batches = state.batch ? `, batch=${state.batch}, seed=${state.seed}` : "";
  const args = onTable
    ? ""
    : engine.surfaces[state.surface]!.arguments.map(
        ({ name, default: usual }) => `, ${name}=${inPython(state.args[name] ?? usual)}`,
      ).join("");
  const surface = onTable
    ? `least_squares(${data.table.python}${batches})`
    : `surface_of(${text(state.surface)}${args})`;
  return [
    '"""The paths of the learning-rate laboratory, bit for bit: `paths` has them by name."""',
    "",
    ...imports,
    "",
    `STEPS = ${state.steps}`,
    `surface = ${surface}`,
    ...(error === null
      ? []
      : [comment(`The phases of the page make no schedule, and its paths have none: ${misfitInEnglish(error)}`)]),
    `schedule = ${schedule ? schedule.written : "None"}`,
    "",
    WEIGHT,
    LOOP,
    "",
    "paths = {}",
    ...runs,
    "for name, places in paths.items():",
    '    print(f"{name}: {surface.value(*places[-1].tolist()):.6g} after {len(places) - 1} steps")',
    "",
  ].join("\n");
}

/** The functions that a schedule's code calls, in alphabetical order. */
function constructors({ written }: Schedule): string[] {
  return [...new Set([...written.matchAll(/(?<![.\w])([a-z_]\w*)\(/g)].map((found) => found[1]!))].sort();
}

/** The call that makes an optimizer; what its first dialect has by default is not written. */
function call(info: OptimizerInfo, dialects: string[], racer: Racer, params: string): string {
  const kinds = new Map(info.hyperparameters.map(({ name, kind }) => [name, kind]));
  const values = Object.entries(racer.values).map(
    ([name, value]) => `${name}=${literal(value, kinds.get(name) === "integer")}`,
  );
  const dialect = racer.dialect === dialects[0] ? [] : [`dialect=${text(racer.dialect)}`];
  return `optim.${info.title}(${[params, ...values, ...dialect].join(", ")})`;
}

function literal(value: Value, whole: boolean): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return whole && Number.isInteger(value) ? String(value) : inPython(value);
  if (typeof value === "string") return text(value);
  return `(${value.map((each) => literal(each, whole)).join(", ")}${value.length === 1 ? "," : ""})`;
}

/** A text as Python reads it: JSON's escapes are Python's too, but for halves of pairs. */
function text(value: string): string {
  return JSON.stringify(value);
}
