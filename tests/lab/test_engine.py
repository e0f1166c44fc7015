"""Tests of tinygrad_lr/lab/engine.py: scalars, schedules, surfaces and whole paths in Node against Python's."""

import json
import re
from collections import Counter

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_cases import in_node, same_bits
from optimizer_cases import ROWS
from schedule_cases import arguments_of, example_of, factors

from tinygrad_lr import optim, tensor, zeros
from tinygrad_lr.data import DataLoader, TensorDataset, shuffling
from tinygrad_lr.lab.batches import first_key, key_of_epoch
from tinygrad_lr.lab.engine import SEEDS, engine_source
from tinygrad_lr.lab.surfaces import SURFACES, best_line, line, line_gradient
from tinygrad_lr.schedules import SCHEDULES

STEPS, FEW = 1000, 100  # of a path and of a class's scalars; the few where searches are no deep ones


@pytest.fixture(scope="module")
def source():
    return engine_source()


def plain(values):
    """Hyperparameters as JSON has them."""
    return json.loads(json.dumps({key: value for key, value in values.items() if key != "params"}))


# --- the host's scalars -----------------------------------------------------------------------------------------------

SCALARS = """
const found = [];
for (const { name, values, shape } of read(folder)) {
  const run = engine.start(name, [{ values, params: [{ shape, value: [0, 0] }] }]);
  const plan = run.planOf(0);
  let numbers = run.segments[0].numbers[0];
  const rows = new Float64Array(STEPS * plan.kernel.scalars.length);
  for (let step = 1; step <= STEPS; step++) {
    const group = run.optimizer.numbered(plan.group, step, numbers);
    numbers = Object.fromEntries(Object.keys(numbers).map((key) => [key, group[key]]));
    const scalars = { ...plan.constants, ...run.optimizer.moving(group, step) };
    plan.kernel.scalars.forEach((key, i) => { rows[(step - 1) * plan.kernel.scalars.length + i] = scalars[key]; });
  }
  found.push(rows);
}
write(folder, found);
"""


def scalars_of(optimizer, group, steps):
    """The scalars of each step, in the kernel's order, as `Optimizer.scalars` gives them."""
    names, numbers, constants = optimizer.kernel(group).scalars, optimizer.numbers, optimizer.constants(group)
    found = []
    for step in range(1, steps + 1):
        now = optimizer.numbered(group, step, numbers)
        numbers = {key: now[key] for key in numbers}
        values = {**constants, **optimizer.moving(now, step)}
        found.append([values[name] for name in names])
    return np.array(found, np.float64), names


def ordered(values):
    """float64 numbers as whole numbers in the same order, so that neighbours differ by 1."""
    bits = values.view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def test_scalars_of_every_class_dialect_and_setting(source, tmp_path, searches):
    steps = searches.choose(STEPS, FEW)
    cases, expected = [], []
    for name, dialect, variant in [row.values for row in ROWS]:
        cls = optim.OPTIMIZERS[name]
        for shape in ((1, 2), (2,)) if name == "muon" else ((1, 2),):
            optimizer = cls([zeros(shape, requires_grad=True)], dialect=dialect, **variant)
            (group,) = optimizer.param_groups
            cases.append({"name": name, "values": plain(group), "shape": list(shape)})
            expected.append((name, dialect, *scalars_of(optimizer, group, steps)))
    found = np.frombuffer(in_node(f"{source}const STEPS = {steps};\n{SCALARS}", tmp_path, cases))
    place, off, total = 0, {}, 0
    for name, dialect, values, names in expected:
        ours = found[place : place + values.size].reshape(values.shape)
        place += values.size
        with np.errstate(over="ignore", under="ignore"):
            same = same_bits(ours.astype(np.float32), values.astype(np.float32))
        assert same.all(), (name, dialect, [key for key, each in zip(names, same.T, strict=True) if not each.all()])
        apart = np.abs(ordered(ours) - ordered(values))
        total += values.size
        for key, each in zip(names, apart.T, strict=True):
            if each.any():
                off[name, key] = max(int(each.max()), off.get((name, key), 0))
                assert (each > 0).mean() < 0.05, (name, dialect, key)
    assert place == found.size
    print(f"{total} scalars; in float64 off by units in the last place: {off}")


# The page's powers are the nearest numbers; Python's are in nearly all cases, and else their neighbours.
OF_POWERS = (
    "polynomial",
    "exponential",
    "warmup_stable_decay, exponential",
    "step",
    "multi_step",
    "exponential_decay",
    "power",
    "tanh",
    "cyclic, exp_range",
    "cyclic, triangular2",
    "cosine_restarts",
)

# --- schedules --------------------------------------------------------------------------------------------------------

SCHEDULED = """
function built({ row, given, then }) {
  let schedule = engine.schedules[row].build(given);
  for (const [name, ...values] of then) {
    schedule = schedule[name](...values.map((each) => (each?.row ? built(each) : each)));
  }
  return schedule;
}
const said = [], values = [];
for (const { program, steps } of read(folder)) {
  try {
    const schedule = built(program);
    const phases = schedule.phases().map((phase) => [phase.start, phase.stop, phase.written]);
    const found = Float64Array.from(steps, (step) => schedule.value(step));
    const together = schedule.values(steps);
    if (!found.every((each, i) => Object.is(each, together[i]))) throw new Error("many steps at once are not the same");
    values.push(found);
    said.push([schedule.written, schedule.totalSteps, schedule.range, phases]);
  } catch (error) {
    said.push(error.message);
  }
}
fs.writeFileSync(`${folder}/said.json`, JSON.stringify(said, (key, value) => (value === Infinity ? "inf" : value)));
write(folder, values);
"""
NAMES = {"times": "__mul__"}
ALGEBRA = st.lists(
    st.one_of(
        st.tuples(st.just("times"), factors),
        st.tuples(st.just("clip"), st.floats(0, 0.4), st.floats(0.5, 2)),
        st.tuples(st.just("clip"), st.none(), st.floats(0.1, 2)),
        st.tuples(st.just("repeat"), st.integers(1, 3)),
        st.tuples(st.just("shift"), st.integers(-20, 20)),
        st.tuples(st.just("then"), st.sampled_from(["warmup", "linear", "step"])),
    ),
    max_size=3,
)


def drawn(strategy, count):
    """Examples of a strategy, the same in every run."""
    found = []

    @settings(max_examples=count, database=None, derandomize=True, deadline=None)
    @given(strategy)
    def keep(example):
        found.append(example)

    keep()
    return found


def programs(count):
    """Of each row some arguments, and what is made of the schedule then."""
    for name, row in SCHEDULES.items():
        for arguments, algebra in drawn(st.tuples(arguments_of(row), ALGEBRA), count):
            steps = [
                (each, {"row": other[0], "given": example_of(SCHEDULES[other[0]]), "then": []})
                if each == "then"
                else (each, *other)
                for each, *other in algebra
            ]
            yield {"row": name, "given": arguments, "then": steps}


def built(program):
    """A program's schedule in Python."""
    found = SCHEDULES[program["row"]].build(**program["given"])
    for name, *values in program["then"]:
        given = [built(each) if isinstance(each, dict) else each for each in values]
        found = getattr(found, NAMES.get(name, name))(*given)
    return found


def described(schedule):
    phases = [[each.start, each.stop, repr(each.schedule)] for each in schedule.phases()]
    return json.loads(json.dumps([repr(schedule), schedule.total_steps, schedule.range, phases]))


def same_text(ours, pythons):
    """Whether two programs say the same; JavaScript has one kind of number, and writes 1 where Python writes 1.0."""
    return re.sub(r"(\d)\.0(?!\d)", r"\1", pythons) == re.sub(r"(\d)\.0(?!\d)", r"\1", ours)


def test_schedules_have_the_same_factors(source, tmp_path, searches):
    cases, expected = [], []
    for program in programs(searches.choose(50, 6)):
        try:
            schedule = built(program)
            steps = list(range(min(schedule.total_steps or 150, 400) + 3))
            values = [schedule(step) for step in steps]
        except (ValueError, OverflowError) as error:
            cases.append({"program": program, "steps": [0]})
            expected.append((program, str(error), None))
        else:
            cases.append({"program": program, "steps": steps})
            expected.append((program, described(schedule), values))
    found = np.frombuffer(in_node(f"{source}{SCHEDULED}", tmp_path, cases))
    said = json.loads((tmp_path / "said.json").read_text())
    place, off, total = 0, Counter(), Counter()
    for (program, right, values), ours in zip(expected, said, strict=True):
        if values is None:
            assert same_text(ours, right), program
            continue
        assert not isinstance(ours, str), (program, ours)
        assert same_text(json.dumps(ours), json.dumps(right).replace("Infinity", '"inf"')), program
        factors_there = found[place : place + len(values)]
        place += len(values)
        apart = np.abs(ordered(factors_there) - ordered(np.array(values)))
        assert apart.max(initial=0) <= 1, program
        with np.errstate(over="ignore", under="ignore"):
            assert (factors_there.astype(np.float32) == np.array(values).astype(np.float32)).all(), program
        off[program["row"]] = max(off[program["row"]], int(apart.max(initial=0)))
        total[program["row"]] += len(values)
    assert place == found.size
    print({row: (most, total[row]) for row, most in off.items() if most})
    assert {row for row, most in off.items() if most} <= set(OF_POWERS)


# --- surfaces ---------------------------------------------------------------------------------------------------------

POINTS = """
const found = [];
for (const { surface, points, args } of read(folder)) {
  const { value, gradient } = engine.surfaces[surface];
  found.push(Float64Array.from(points.flatMap(([x, y]) => [value(x, y, args), ...gradient(x, y, args)])));
}
write(folder, found);
"""


def test_surfaces_have_the_same_bits(source, tmp_path):
    rng, cases, expected = np.random.default_rng(1), [], []
    for name, surface in SURFACES.items():
        for scale in (1.0, 1e-3, 1e6):
            args = {each.name: each.least + float(rng.exponential(each.default)) for each in surface.arguments}
            points = (np.array(surface.start) + scale * rng.normal(size=(200, 2))).tolist()
            cases.append({"surface": name, "points": points, "args": args})
            expected += [[surface.value(*at, **args), *surface.gradient(*at, **args)] for at in points]
    found = np.frombuffer(in_node(f"{source}{POINTS}", tmp_path, cases))
    assert same_bits(found, np.array(expected).ravel()).all()


@pytest.mark.parametrize("name", SURFACES)
def test_gradients_are_those_of_the_values(name):
    surface = SURFACES[name]
    args = {each.name: each.default for each in surface.arguments}
    (low_x, high_x), (low_y, high_y) = surface.seen
    rng = np.random.default_rng(2)
    for x, y in rng.uniform((low_x, low_y), (high_x, high_y), (20, 2)).tolist():
        by_x, by_y = surface.gradient(x, y, **args)
        with mpmath.workdps(60):
            step = mpmath.mpf(10) ** -20
            for found, dx, dy in ((by_x, step, 0), (by_y, 0, step)):
                ahead, behind = (surface.value(x + k * dx, y + k * dy, **args) for k in (1, -1))
                right = (ahead - behind) / (2 * step)
                assert abs(found - right) <= 1e-9 * (1 + abs(right))


@pytest.mark.parametrize("name", [name for name, each in SURFACES.items() if each.minimum])
def test_minima_are_those_of_the_values(name):
    surface = SURFACES[name]
    args = {each.name: each.default for each in surface.arguments}
    for minimum in {surface.minimum, surface.twin or surface.minimum}:
        assert surface.value(*minimum, **args) == 0 and surface.gradient(*minimum, **args) == (0, 0)


def test_the_saddle_has_two_minima():
    assert {SURFACES["saddle"].minimum, SURFACES["saddle"].twin} == {(0.0, 1.0), (0.0, -1.0)}


# --- rows of a table --------------------------------------------------------------------------------------------------

OF_ROWS = """
const { first, second, target, points, seed, size } = read(folder);
const table = engine.tableSurface(...[first, second, target].map((each) => Array.from(each)));
const found = [...table.minimum];
for (const epoch of [0, 1, 2]) found.push(...engine.order(seed, epoch, target.length));
for (const [i, [x, y]] of points.entries()) {
  const rows = engine.order(seed, i, target.length).slice(0, size);
  found.push(table.value(x, y), ...table.gradient(x, y), table.value(x, y, rows), ...table.gradient(x, y, rows));
}
write(folder, [Float64Array.from(found)]);
"""


def test_rows_of_a_table_have_the_same_bits(source, tmp_path):
    rng = np.random.default_rng(3)
    first, second, target = rng.normal(size=(3, 37))
    points, seed, size = rng.normal(size=(20, 2)).tolist(), 5, 4
    given = {"first": first, "second": second, "target": target, "points": points, "seed": seed, "size": size}
    columns = [each.tolist() for each in (first, second, target)]
    loader = DataLoader(TensorDataset(np.zeros((37, 1), np.float32)), batch_size=size, shuffle=True, seed=seed)
    expected = [*best_line(*columns), *(row for epoch in range(3) for row in loader.order(epoch).tolist())]
    for epoch, at in enumerate(points):
        for rows in (range(37), loader.order(epoch).tolist()[:size]):
            expected += [line(*at, *columns, rows), *line_gradient(*at, *columns, rows)]
    found = np.frombuffer(in_node(f"{source}{OF_ROWS}", tmp_path, given))
    assert same_bits(found, np.array(expected, np.float64)).all()
    right = np.linalg.lstsq(np.stack([first, second], axis=1), target, rcond=None)[0]
    np.testing.assert_allclose(best_line(*columns), right, rtol=1e-12)


def test_features_that_are_multiples_are_refused():
    with pytest.raises(ValueError, match="multiples of each other"):
        best_line([1.0, 2.0], [2.0, 4.0], [0.0, 1.0])


def test_every_seed_of_the_page_has_the_package_s_orders():
    for seed in range(SEEDS):
        assert [key_of_epoch(first_key(seed), epoch) for epoch in range(3)] == shuffling.keys(seed, 0, 3).tolist()


# --- whole paths ------------------------------------------------------------------------------------------------------

PATHS = """
const found = [];
for (const { name, values, surface, start, factors, steps } of read(folder)) {
  const { gradient } = engine.surfaces[surface];
  const run = engine.start(name, [{ values, params: [{ shape: [1, 2], value: start }] }]);
  const [group] = run.groups;
  const [{ value }] = group.params;
  const path = new Float32Array(2 * steps);
  const schedule = factors === null ? null : engine.schedules[factors.row].build(factors.given);
  for (let step = 0; step < steps; step++) {
    if (schedule !== null) group.values.lr = values.lr * schedule.value(step);
    run.step([[Float32Array.from(gradient(value[0], value[1]))]]);
    path.set(value, 2 * step);
  }
  const states = run.states(0, 0);
  const parts = Object.keys(states).sort().flatMap((key) => Array.from(states[key]));
  found.push(path, Float64Array.from(parts));
}
write(folder, found);
"""
SCHEDULES_TRIED = (None, {"row": "cosine", "given": {"total_steps": STEPS}})


def path_of(name, dialect, variant, surface, schedule):
    """The path in Python, and its states after the last step, by their sorted names."""
    x, y = SURFACES[surface].start
    args = {each.name: each.default for each in SURFACES[surface].arguments}
    parameter = tensor([[x, y]], requires_grad=True)
    optimizer = optim.OPTIMIZERS[name]([parameter], dialect=dialect, **variant)
    (group,) = optimizer.param_groups
    values, base = plain(group), group["lr"]
    factors_there = None if schedule is None else SCHEDULES[schedule["row"]].build(**schedule["given"])
    path = np.empty((STEPS, 2), np.float32)
    with np.errstate(all="ignore"):
        for step in range(STEPS):
            if factors_there is not None:
                group["lr"] = base * factors_there(step)
            at = parameter.data.tolist()[0]
            parameter.grad = np.array([SURFACES[surface].gradient(*at, **args)]).astype(np.float32)
            optimizer.step()
            path[step] = parameter.data
    state = optimizer.state[parameter]
    states = [np.asarray(state[key], np.float64).ravel() for key in sorted(state) if isinstance(state[key], np.ndarray)]
    case = {"name": name, "values": values, "surface": surface, "start": [x, y], "factors": schedule}
    return case | {"steps": STEPS}, path.ravel(), np.concatenate([*states, np.empty(0)])


def test_paths_have_the_same_bits(source, tmp_path, searches):
    every = [(*row.values, surface, schedule) for row in ROWS for surface in SURFACES for schedule in SCHEDULES_TRIED]
    chosen = searches.sample("paths of the page", every, 150, group=lambda case: case[0])
    made = [path_of(*case) for case in chosen]
    found = in_node(f"{source}{PATHS}", tmp_path, [case for case, _, _ in made])
    place = 0
    for (name, dialect, variant, surface, schedule), (_, path, states) in zip(chosen, made, strict=True):
        ours, place = np.frombuffer(found, np.float32, path.size, place), place + path.nbytes
        theirs, place = np.frombuffer(found, np.float64, states.size, place), place + states.nbytes
        said = name, dialect, variant, surface, schedule
        assert same_bits(ours, path).all(), (said, int(np.argmin(same_bits(ours, path))) // 2)
        assert same_bits(theirs, states).all(), said
    assert place == len(found)


def test_another_last_bit_of_a_rate_would_be_seen(source, tmp_path):
    case, path, _ = path_of("sgd", "article", {"lr": 0.25}, "parabola", None)
    other = np.nextafter(np.float32(case["values"]["lr"]), np.float32(1))
    case["values"]["lr"] = float(other)
    found = np.frombuffer(in_node(f"{source}{PATHS}", tmp_path, [case]), np.float32, path.size)
    assert not same_bits(found, path).all()


# --- groups, gradients that are missing, copies -----------------------------------------------------------------------

GROUPS = """
const found = [];
for (const { name, groups, grads, rates } of read(folder)) {
  let run = engine.start(name, groups);
  for (const [step, given] of grads.entries()) {
    if (step === 3) {
      const before = run;
      run = run.copy();
      before.step(given.map((group) => group.map((each) => each && Float32Array.from(each)))); // must not be seen
    }
    rates[step].forEach((lr, i) => { run.groups[i].values.lr = lr; });
    run.step(given.map((group) => group.map((each) => each && Float32Array.from(each))));
    for (const group of run.groups) for (const { value } of group.params) found.push(value.slice());
  }
}
write(folder, found);
"""


def of_two_groups(name, rng):
    """A case of two groups, of which the first has two parameters; and the values after each step in Python."""
    cls = optim.OPTIMIZERS[name]
    shapes = [[(1, 2), (1,)], [(1, 1)]] if name != "muon" else [[(1, 2)], [(1, 1)]]
    starts = [[rng.normal(size=shape).astype(np.float32) for shape in group] for group in shapes]
    params = [[tensor(each, requires_grad=True) for each in group] for group in starts]
    optimizer = cls([{"params": params[0]}, {"params": params[1]}])
    together = bool(getattr(cls, "together", ()))
    base = optimizer.param_groups[0]["lr"]
    values = [plain(group) for group in optimizer.param_groups]
    grads, rates, expected = [], [], []
    for step in range(8):
        given = [[rng.normal(size=each.shape).astype(np.float32) for each in group] for group in starts]
        if step in (2, 5) and not together:
            given[0][0] = None
        rates.append([base * (1 + 0.1 * step), base * (2 - 0.1 * step)])
        for group, of_group, rate in zip(optimizer.param_groups, given, rates[-1], strict=True):
            group["lr"] = rate
            for param, grad in zip(group["params"], of_group, strict=True):
                param.grad = grad
        optimizer.step()
        expected += [param.data.ravel().copy() for group in params for param in group]
        grads.append([[None if each is None else each.ravel().tolist() for each in group] for group in given])
    groups = [
        {"values": v, "params": [{"shape": list(s.shape), "value": s.ravel().tolist()} for s in of_group]}
        for v, of_group in zip(values, starts, strict=True)
    ]
    return {"name": name, "groups": groups, "grads": grads, "rates": rates}, np.concatenate(expected)


def test_groups_with_rates_of_their_own_have_the_same_bits(source, tmp_path):
    rng = np.random.default_rng(6)
    made = {name: of_two_groups(name, rng) for name in optim.OPTIMIZERS}
    found = np.frombuffer(in_node(f"{source}{GROUPS}", tmp_path, [case for case, _ in made.values()]), np.float32)
    place = 0
    for name, (_, expected) in made.items():
        ours, place = found[place : place + expected.size], place + expected.size
        assert same_bits(ours, expected).all(), name
    assert place == found.size


# --- what is refused --------------------------------------------------------------------------------------------------

MESSAGES = """
const said = read(folder).map(({ name, change, later, groups }) => {
  const [first] = Object.values(engine.optimizers[name]?.dialects ?? { none: {} });
  const made = { values: { ...first, ...change }, params: [{ shape: [1, 2], value: [1, 2] }] };
  try {
    const run = engine.start(name, groups === 2 ? [{ ...made, values: first }, made] : [made]);
    Object.assign(run.groups[0].values, later);
    run.step(run.groups.map(() => [Float32Array.of(1, 1)]));
    return "nothing";
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(said));
"""
WRONG = [
    ("sgd", {"lr": -0.5}, {}, 1),
    ("sgd", {"nesterov": True}, {}, 1),
    ("sgd", {"lr_placement": "above"}, {}, 1),
    ("sgd", {"maximize": 1}, {}, 1),
    ("sgd", {"lr": "0.1"}, {}, 1),
    ("sgd", {"lr": 1e300}, {}, 1),
    ("sgd", {}, {"lr": -1.5}, 1),
    ("sgd", {}, {"momentum": 1.25}, 1),
    ("adam", {"betas": (0.5, 1.0)}, {}, 1),
    ("adam", {"betas": (0.5,)}, {}, 1),
    ("adam", {"betas": 0.5}, {}, 1),
    ("adam", {"eps": 1e-50}, {}, 1),
    ("rprop", {"etas": (0.5, 0.9)}, {}, 1),
    ("radam", {"threshold": 3.5}, {}, 1),
    ("schedule_free_sgd", {"beta": 0.0}, {}, 1),
    ("muon", {"ns_steps": 100}, {}, 1),
    ("muon", {"ns_steps": 2.5}, {}, 1),
    ("muon", {}, {"update": "adamw"}, 1),
    ("prodigy", {"eps": 0.25}, {}, 2),
]


def refusal(name, change, later, groups):
    cls, params = optim.OPTIMIZERS[name], [tensor([[1.0, 2.0]], requires_grad=True) for _ in range(groups)]
    try:
        optimizer = cls([{"params": params[0], **(change if groups == 1 else {})}])
        if groups == 2:
            optimizer.add_param_group({"params": params[1], **change})
        optimizer.param_groups[0].update(later)
        for param in params:
            param.grad = np.ones((1, 2), np.float32)
        optimizer.step()
    except (TypeError, ValueError) as error:
        return str(error)
    return "nothing"


def test_values_are_refused_with_python_s_words(source, tmp_path):
    cases = [dict(zip(("name", "change", "later", "groups"), case, strict=True)) for case in WRONG]
    said = json.loads(in_node(f"{source}{MESSAGES}", tmp_path, cases))
    for case, ours in zip(WRONG, said, strict=True):
        right = refusal(*case)
        assert right != "nothing" and same_text(ours.lower(), right.lower()), (case, ours, right)


def test_what_there_is_not_is_named(source, tmp_path):
    cases = [{"name": "none", "change": {}}, {"name": "sgd", "change": {"rate": 1.0}}]
    said = json.loads(in_node(f"{source}{MESSAGES}", tmp_path, cases))
    assert said == ["there is no optimizer 'none'", "there is no hyperparameter 'rate'"]


def test_whole_numbers_that_javascript_does_not_have_are_refused(source, tmp_path):
    given = {"total_steps": 2**40, "num_cycles": 2**20}
    too_long = {"total_steps": 2**60}
    cases = [
        {"program": {"row": row, "given": each, "then": []}, "steps": [2**39]}
        for row, each in (("cosine_hard_restarts", given), ("cosine", too_long), ("cosine", {"total_steps": 2**52}))
    ]
    for algebra in (["repeat", 2**53], ["shift", -(2**51)]):
        cases.append({"program": {"row": "cosine", "given": {"total_steps": 1}, "then": [algebra]}, "steps": [0]})
    in_node(f"{source}{SCHEDULED}", tmp_path, cases)
    product, length, fits, times, later = json.loads((tmp_path / "said.json").read_text())
    assert "beyond 2**53" in product and length.startswith("total_steps must be below 2**53 here")
    assert times.startswith("times must be below 2**53 here") and later.startswith("steps must be below 2**51 here")
    assert not isinstance(fits, str)


BAD_SCHEDULES = [
    ("cosine", {"total_steps": -1}),
    ("cosine", {"total_steps": 2.5}),
    ("cosine", {"total_steps": 10, "end": -0.5}),
    ("warmup", {"steps": 4, "first_step": "two"}),
    ("polynomial", {"total_steps": 5, "power": 0.0}),
    ("exponential", {"total_steps": 5, "end": 0.0}),
    ("piecewise", {"milestones": [3, 2], "values": [1.0, 0.5, 0.25]}),
    ("piecewise", {"milestones": [3], "values": [1.0]}),
    ("multi_step", {"milestones": [3, 2]}),
    ("one_cycle", {"total_steps": 5, "peak_at": 1.5}),
    ("cosine_restarts", {"first_steps": 5, "cycle_mul": 0.5}),
    ("cosine_restarts", {"first_steps": 5, "cycle_mul": 1.0000001}),
    ("linear", {"total_steps": True}),
    ("linear", {"total_steps": 5, "start": "1"}),
]


def test_schedules_refuse_arguments_with_python_s_words(source, tmp_path):
    cases = [{"program": {"row": row, "given": bad, "then": []}, "steps": [0]} for row, bad in BAD_SCHEDULES]
    in_node(f"{source}{SCHEDULED}", tmp_path, cases)
    for (row, bad), ours in zip(BAD_SCHEDULES, json.loads((tmp_path / "said.json").read_text()), strict=True):
        with pytest.raises((TypeError, ValueError)) as raised:
            SCHEDULES[row].build(**bad)
        assert isinstance(ours, str) and same_text(ours, str(raised.value)), (row, bad, ours, str(raised.value))
