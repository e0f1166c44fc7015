// How optimizers, schedules and surfaces run: what lies around the translated rules. No formula stands here. It is a part
// of the script that engine.py writes, which gives `py`, `np`, `classes`, `kernels`, `scheduling` and `surfaces`.

const FLOAT32 = { str: "<f4", kind: "f", type: Math.fround, __repr__: () => "float32" };

// What an optimizer's class asks for by the name of a kernel's file.
function kernelsOf(file) {
  return kernels[file];
}

function unknownHyperparameter(name) {
  throw new TypeError(`there is no hyperparameter ${py.repr(name)}`);
}

function made(name) {
  if (!Object.hasOwn(classes, name)) throw new ValueError(`there is no optimizer ${py.repr(name)}`);
  const optimizer = new classes[name]();
  optimizer._own_state = null;
  optimizer.defaults = Object.values(optimizerInfos[name].dialects)[0];
  optimizer.adamw = {};
  return optimizer;
}

// The parameters of a group, end to end in one buffer, with their states.
class Segment {
  constructor(optimizer, params) {
    this.optimizer = optimizer;
    this.shapes = params.map((each) => each.shape);
    this.sizes = this.shapes.map((shape) => shape.reduce((product, side) => product * side, 1));
    this.bounds = [0];
    for (const size of this.sizes) this.bounds.push(this.bounds.at(-1) + size);
    this.values = new Float32Array(this.bounds.at(-1));
    this.grads = new Float32Array(this.bounds.at(-1));
    this.params = params.map(({ shape, value }, i) => {
      if (value.length !== this.sizes[i]) throw new ValueError(`a parameter of shape ${py.repr(shape)} has ${value.length} elements`);
      const view = this.values.subarray(this.bounds[i], this.bounds[i + 1]);
      view.set(value);
      return { shape, value: view };
    });
    this.steps = params.map(() => 0);
    this.numbers = params.map(() => ({ ...optimizer.numbers }));
    this.kept = new Map(); // states by their names: the array, and where each parameter's entries begin
    this.arranged = new Map(); // a kernel's arrays for parameters first ... stop - 1
  }

  // Make the states of a kernel that are not there, filled as before the first step.
  need(kernel, group) {
    kernel.states.forEach((key, number) => {
      if (this.kept.has(key)) return;
      const [dtype, whose] = kernel.stored[number];
      const bounds = [0];
      this.shapes.forEach((shape, i) => {
        const size = whose === "elements" ? this.sizes[i] : kernel.laidOut([shape]).states[number];
        bounds.push(bounds.at(-1) + size);
      });
      const array = new ARRAYS[dtype](bounds.at(-1)).fill(this.optimizer.initial_state(group, key));
      this.kept.set(key, { array, bounds });
    });
  }

  stateOf(key, first, stop) {
    const { array, bounds } = this.kept.get(key);
    return array.subarray(bounds[first], bounds[stop]);
  }

  // What a kernel takes for parameters first ... stop - 1.
  arrays(kernel, first, stop) {
    if (!this.arranged.has(kernel)) this.arranged.set(kernel, new Map());
    const ofKernel = this.arranged.get(kernel);
    const run = first * (this.sizes.length + 1) + stop;
    if (!ofKernel.has(run)) {
      const [low, high] = [this.bounds[first], this.bounds[stop]];
      const layout = kernel.layout.length ? kernel.laidOut(this.shapes.slice(first, stop)).layout : [];
      ofKernel.set(run, [
        this.values.subarray(low, high),
        this.grads.subarray(low, high),
        ...kernel.states.map((key) => this.stateOf(key, first, stop)),
        ...layout.map(arrangedArray),
      ]);
    }
    return ofKernel.get(run);
  }

  copyFrom(other) {
    this.values.set(other.values);
    this.steps = [...other.steps];
    this.numbers = other.numbers.map((each) => ({ ...each }));
    for (const [key, { array, bounds }] of other.kept) this.kept.set(key, { array: array.slice(), bounds });
  }
}

class Run {
  constructor(name, given) {
    this.name = name;
    this.optimizer = made(name);
    this.groups = [];
    this.segments = [];
    this.plans = [];
    this.steps = 0;
    for (const group of given) {
      const params = group.params.map((each) => ({ ...each, ndim: each.shape.length, dtype: FLOAT32 }));
      const members = params.map((param) => ({ param }));
      for (const [values, parts] of this.optimizer._divided({ ...group.values, params: members })) this.adopt(values, parts);
    }
  }

  adopt(values, members) {
    const segment = new Segment(this.optimizer, members.map((each) => each.param));
    this.segments.push(segment);
    this.groups.push({ values, params: segment.params });
    this.plans.push({ values: { ...values }, group: this.groupOf(this.groups.length - 1), kernel: null, scalars: {} });
  }

  // A group as its class sees it.
  groupOf(i) {
    return { ...this.groups[i].values, params: this.segments[i].params.map(() => ({ dtype: FLOAT32 })) };
  }

  // What the steps of a group have in common, while its values stay.
  planOf(i) {
    const { values } = this.groups[i];
    const plan = this.plans[i];
    const changed = Object.keys(values).filter((name) => values[name] !== plan.values[name]);
    if (plan.kernel !== null && !changed.length) return plan;
    const items = Object.fromEntries(changed.map((name) => [name, values[name]]));
    Object.assign(values, this.optimizer.checked_items(plan.group, items));
    if (plan.kernel !== null && changed.length === 1 && changed[0] === "lr") {
      plan.values.lr = plan.group.lr = values.lr; // which changes neither the kernel nor the constants
      return plan;
    }
    const group = this.groupOf(i);
    if (i > 0) this.refuseOthers(i);
    const kernel = this.optimizer.kernel(group);
    this.segments[i].need(kernel, group);
    this.plans[i] = { values: { ...values }, group, kernel, constants: this.optimizer.constants(group), scalars: {} };
    return this.plans[i];
  }

  // What decides for all groups together must be the same in all.
  refuseOthers(i) {
    for (const name of this.optimizer.together ?? []) {
      const [here, first] = [this.groups[i].values[name], this.groups[0].values[name]];
      if (!py.equal(here, first)) {
        throw new ValueError(`${this.name} decides for all groups together: ${name} must be the same in all, got ${py.repr(first)} in group 0 and ${py.repr(here)} in group ${i}`);
      }
    }
  }

  // The scalars of a step, in float64, and as the kernel takes them.
  scalarsOf(plan, group, step) {
    const found = { ...plan.constants, ...this.optimizer.moving(group, step) };
    plan.scalars = found;
    return plan.kernel.scalars.map((name) => Math.fround(found[name]));
  }

  // One step, in place; a gradient that is null leaves its parameter alone.
  step(grads) {
    grads.forEach((group, i) => group.forEach((grad, j) => grad && this.segments[i].grads.set(grad, this.segments[i].bounds[j])));
    if (this.optimizer.together) this.stepTogether(grads);
    else grads.forEach((group, i) => this.stepGroup(i, group));
    this.steps += 1;
  }

  stepGroup(i, grads) {
    const plan = this.planOf(i);
    const segment = this.segments[i];
    let before = null; // parameters with one history have the same scalars
    segment.params.forEach((_, j) => {
      if (!grads[j]) return;
      const step = segment.steps[j] + 1;
      if (before === null || before.step !== step || !sameNumbers(before.numbers, segment.numbers[j])) {
        const group = this.optimizer.numbered(plan.group, step, segment.numbers[j]);
        before = { step, numbers: segment.numbers[j], group, scalars: this.scalarsOf(plan, group, step) };
      }
      plan.kernel.step(segment.arrays(plan.kernel, j, j + 1), before.scalars);
      segment.steps[j] = step;
      segment.numbers[j] = Object.fromEntries(Object.keys(segment.numbers[j]).map((key) => [key, before.group[key]]));
    });
  }

  // All groups of an optimizer that decides for all of them at once; each of them is a run.
  stepTogether(grads) {
    if (grads.some((group) => group.some((each) => !each))) throw new ValueError(`${this.name} needs every gradient here`);
    const runs = this.segments.map((segment, i) => {
      const plan = this.planOf(i);
      const scalars = this.scalarsOf(plan, plan.group, segment.steps[0] + 1);
      return { kernel: plan.kernel, segment, scalars, arrays: segment.arrays(plan.kernel, 0, segment.params.length) };
    });
    if (runs.length === 1) runs[0].kernel.step(runs[0].arrays, runs[0].scalars);
    else this.decideTogether(runs);
    for (const { segment } of runs) segment.steps = segment.steps.map((step) => step + 1);
  }

  decideTogether(runs) {
    const [{ kernel, segment, scalars }] = runs;
    const before = kernel.numbers.map((key) => segment.stateOf(key, 0, 1)[0]);
    const sums = runs.map((run) => run.kernel.measure(run.arrays, run.scalars));
    const size = runs.reduce((total, run) => total + run.arrays[0].length, 0);
    const [total, other] = [0, 1].map((k) => sums.reduce((found, each) => found + each[k], 0));
    const found = kernel.decide(total, other, size, ...before, ...scalars);
    for (const run of runs) {
      kernel.numbers.forEach((key, k) => run.segment.kept.get(key).array.fill(found[2 + k]));
      run.kernel.apply(run.arrays, found.slice(0, 2), run.scalars);
    }
  }

  states(group, param) {
    const segment = this.segments[group];
    return Object.fromEntries(Array.from(segment.kept.keys(), (key) => [key, segment.stateOf(key, param, param + 1)]));
  }

  numbers(group, param) {
    return { ...this.segments[group].numbers[param] };
  }

  scalars(group) {
    return { ...this.plans[group].scalars };
  }

  copy() {
    const given = this.segments.map((segment, i) => ({ values: this.groups[i].values, params: segment.params }));
    const found = new Run(this.name, given);
    found.steps = this.steps;
    found.segments.forEach((segment, i) => segment.copyFrom(this.segments[i]));
    return found;
  }
}

function sameNumbers(one, other) {
  return Object.keys(one).every((key) => Object.is(one[key], other[key]));
}

// A whole number so small that JavaScript counts with it as Python does.
function exact(name, value, bits = 53) {
  if (Math.abs(value) >= 2 ** bits) throw new ValueError(`${name} must be below 2**${bits} here, got ${value}`);
  return value;
}

// A schedule, whose methods are those of the translated class.
class Scheduled {
  constructor(schedule) {
    this.schedule = schedule;
  }
  value(step) {
    return this.schedule.__call__(step);
  }
  values(steps) {
    return this.schedule.__call__(Float64Array.from(steps));
  }
  get totalSteps() {
    return this.schedule.total_steps;
  }
  get range() {
    return this.schedule.range;
  }
  get written() {
    return this.schedule.__repr__();
  }
  then(other) {
    return new Scheduled(this.schedule.then(other.schedule));
  }
  times(factor) {
    return new Scheduled(this.schedule.__mul__(factor));
  }
  clip(min, max) {
    return new Scheduled(this.schedule.clip(min, max));
  }
  repeat(times) {
    return new Scheduled(this.schedule.repeat(exact("times", times)));
  }
  shift(steps) {
    return new Scheduled(this.schedule.shift(exact("steps", steps, 51)));
  }
  phases() {
    return this.schedule.phases().map((phase) => ({ start: phase.start, stop: phase.stop, written: phase.schedule.__repr__() }));
  }
}

// A constructor of schedules with its arguments by their names.
function buildOf(name) {
  const { constructor, fixed } = scheduling[name];
  return (given) => {
    for (const argument of scheduleInfos[name].arguments) {
      if (argument.required && !Object.hasOwn(given, argument.name)) throw new TypeError(`${name} needs ${argument.name}`);
      const value = given[argument.name];
      if (argument.kind === "integer") exact(argument.name, value);
    }
    return new Scheduled(py.call(constructor, [], { ...given, ...fixed }));
  };
}

// A surface whose functions take what shapes it by name.
function surfaceOf(name) {
  const { arguments: shaping } = surfaceInfos[name];
  const given = (args) => shaping.map((each) => args[each.name] ?? each.default);
  return {
    ...surfaceInfos[name],
    value: (x, y, args = {}) => surfaces.of[name].value(x, y, ...given(args)),
    gradient: (x, y, args = {}) => surfaces.of[name].gradient(x, y, ...given(args)),
  };
}

// Least squares of two features of a table: columns of numbers. `rows` of both functions are numbers of rows; all without.
function tableSurface(first, second, target) {
  const all = Array.from(target.keys());
  return {
    minimum: surfaces.best_line(first, second, target),
    value: (x, y, rows = all) => surfaces.line(x, y, first, second, target, rows),
    gradient: (x, y, rows = all) => surfaces.line_gradient(x, y, first, second, target, rows),
  };
}

// The samples of an epoch in their order, as a DataLoader with this seed has them.
const orders = new Map();
function order(seed, epoch, samples) {
  if (firstKeys[seed] === undefined) throw new ValueError(`the seeds here are 0 to ${firstKeys.length - 1}, got ${seed}`);
  const name = `${seed} ${epoch} ${samples}`;
  if (!orders.has(name)) orders.set(name, batches.order(BigInt(firstKeys[seed]), epoch, samples));
  return orders.get(name);
}

// A power of any number, as Python's float64 has it: rounded once where the base is not negative.
function power(base, exponent) {
  return base < 0 || (base === 0 && exponent < 0) ? base ** exponent : py.power(base, exponent);
}

const engine = {
  optimizers: optimizerInfos,
  schedules: Object.fromEntries(Object.keys(scheduleInfos).map((name) => [name, { ...scheduleInfos[name], build: buildOf(name) }])),
  surfaces: Object.fromEntries(Object.keys(surfaceInfos).map((name) => [name, surfaceOf(name)])),
  tableSurface,
  order,
  start: (name, groups) => new Run(name, groups),
  float32Rate: Math.fround,
  formulas: formulas.of,
  symbols: formulas.symbols,
  power,
};
