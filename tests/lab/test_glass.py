"""Tests of formulas.py and of the page's modules that read, draw and evaluate formulas (web/src/lab/formula/), in Node.

Node runs the modules as they are written: it leaves their types out.
"""

import itertools
import json
import random

import numpy as np
import pytest
from node_cases import in_node
from optimizer_cases import ROWS

from tinygrad_lr import backend, lab, optim, tensor
from tinygrad_lr.lab.engine import engine_source, optimizer_info
from tinygrad_lr.verify import spec
from tinygrad_lr.verify.formulas import FAMILIES
from tinygrad_lr.verify.language import mathml, notation

FORMULA = f"{lab.__path__[0]}/web/src/lab/formula"
SETTINGS = 60  # drawn for each optimizer
PREPARED = """
const load = (name) => import(`file://${FORMULA}/${name}.ts`);
const number = (value) => (typeof value === "number" ? value : Array.from(value.data));
const [given] = [JSON.parse(fs.readFileSync(`${folder}/given.json`, "utf8"))];
const say = (found) => fs.writeFileSync(`${folder}/found.bin`, JSON.stringify(found, (key, value) =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value));
"""


@pytest.fixture(scope="module")
def engine():
    return engine_source()


def in_page(script, folder, given=None, engine=""):
    """What a script says that has the page's modules."""
    text = f"const FORMULA = {json.dumps(FORMULA)};\n{PREPARED}{engine}(async () => {{\n{script}\n}})();"
    return json.loads(in_node(text, folder, given))


def drawn_settings(name):
    """Hyperparameters of an optimizer: those of its dialects and examined settings, and some drawn ones."""
    cls, draw = optim.OPTIMIZERS[name], random.Random(name)
    known = set(FAMILIES[name].defaults)
    yield from ({**defaults, **variant} for defaults in cls.dialects.values() for variant in cls.examined)
    rows = [row for row in optimizer_info(name)["hyperparameters"] if row["name"] in known]
    for _ in range(SETTINGS):
        found = dict(draw.choice(list(cls.dialects.values())))
        for row in rows:
            if draw.random() < 0.5:
                found[row["name"]] = drawn_value(draw, row, found[row["name"]])
        yield found


def drawn_value(draw, row, usual):
    """Another value of a hyperparameter."""
    if row["kind"] == "flag":
        return not usual
    if row["kind"] == "choice":
        return draw.choice(row["choices"])
    if row["kind"] == "numbers":
        return tuple(draw.uniform(0.1, 0.9) for _ in usual)
    return draw.choice([0, 2, 3]) if row["kind"] == "integer" else draw.choice([0.0, draw.uniform(0.01, 0.9)])


def settings_of(name, values):
    return {key: values[key] for key in FAMILIES[name].defaults if key in values}


def plain(values):
    return json.loads(json.dumps(values))


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def every():
    """Every drawn setting of every optimizer, and the lines of each."""
    cases = [(name, settings_of(name, values)) for name in optim.OPTIMIZERS for values in drawn_settings(name)]
    return cases, [spec(name, **values).lines() for name, values in cases]


def test_lines_are_those_of_python_under_every_setting(engine, every, tmp_path):
    cases, expected = every
    script = """
        const { ruleOf } = await load("explain");
        say(given.map(([name, values]) => {
          const { formula, settings } = ruleOf(engine, engine.formulas[name], values);
          return formula.lines(settings);
        }));
    """
    assert in_page(script, tmp_path, plain(cases), engine) == expected


def test_every_line_is_read_and_drawn_as_python_does(every, tmp_path):
    texts = sorted(set(itertools.chain(*every[1])))
    script = """
        const [{ parse }, { lineAsMathml }] = [await load("notation"), await load("mathml")];
        say(given.map((text) => {
          const line = parse(text);
          return [line.name, line.arrow, line.expression, lineAsMathml(line)];
        }));
    """
    expected = [
        [line.name, line.arrow, line.expression, mathml.line_as_mathml(text)]
        for text in texts
        for line in [notation.parse(text)]
    ]
    assert len(texts) > 250
    assert in_page(script, tmp_path, texts) == plain(expected)


# --- values -----------------------------------------------------------------------------------------------------------

STEPS = (1, 4)


def explained_in_python(name, dialect, variant, draw):
    """What `explain` says of both elements before some steps, and what the page is given for them."""
    w = tensor([draw.standard_normal(2)], requires_grad=True)
    optimizer = optim.OPTIMIZERS[name]([("w", w)], dialect=dialect, **variant)
    (group,) = optimizer.param_groups
    values = plain({key: value for key, value in group.items() if key != "params"})
    for step in range(1, max(STEPS) + 1):
        w.grad = (draw.standard_normal((1, 2)) * 10.0 ** draw.integers(-3, 3)).astype(np.float32)
        if step in STEPS:
            states = {
                key: np.ravel(np.asarray(each, np.float64)).tolist()
                for key, each in optimizer.state[w].items()
                if key != "step"
            }
            place = {
                "step": step,
                "theta": w.numpy().ravel().tolist(),
                "gradient": w.grad.ravel().tolist(),
                "states": states,
            }
            for axis in (0, 1):
                yield (name, values, place, axis), optimizer.explain("w", (0, axis))
        optimizer.step()


EXPLAIN = """
    const { explained, elementOf, ruleOf } = await load("explain");
    say(given.map(([name, values, place, axis]) => {
      const rule = ruleOf(engine, engine.formulas[name], values);
      const { told, before, after, corrections, decay } = explained(rule, place);
      const of = (value) => elementOf(value, axis, 2);
      const all = (given) => Object.fromEntries(Object.entries(given).map(([key, value]) => [key, of(value)]));
      const lines = told.map(({ text, value }) => [text, of(value)]);
      return { lines, before: all(before), after: all(after), decay: of(decay), corrections };
    }));
"""


def powers_of_steps(name, values):
    """Whether the lines have a power other than a square: libraries differ in its last bit."""
    return any(
        "^" in text.replace("^ ", "").replace("^2", "") for text in spec(name, **settings_of(name, values)).lines()
    )


# 1 - beta^t is a thousandth at t = 1 and beta2 = 0.999, so that a last bit of the power counts a thousandfold.
OF_POWERS = 1e-13
# RAdam's rho is the difference of two numbers near 2000, one of which is divided by such a correction. NumPy's products
# of matrices are fused, and Muon has ten of them.
WITHIN = {"radam": 1e-10, "muon": 1e-13}


def test_values_are_those_that_explain_has(engine, tmp_path):
    draw = np.random.default_rng(0)
    cases, expected = [], []
    with backend.using("numpy"):
        for row in ROWS:
            for case, said in explained_in_python(*row.values, draw):
                cases.append(case)
                expected.append(said)
    found = in_page(EXPLAIN, tmp_path, cases, engine)
    for (name, values, *_), page, said in zip(cases, found, expected, strict=True):
        lines = [(text, value) for text, value in page["lines"] if value is not None]
        assert [text for text, _ in lines] == [text for text, _ in said.lines], name
        pairs = [(float(value), exact) for (_, value), (_, exact) in zip(lines, said.lines, strict=True)]
        assert page["before"].keys() >= said.before.keys()
        pairs += [(float(page["before"][key]), value) for key, value in said.before.items()]
        assert dict(page["corrections"]).keys() == said.corrections.keys()
        pairs += [(value, said.corrections[key]) for key, value in page["corrections"]]
        pairs += [(page["after"]["theta"], said.after), (page["decay"], said.decay)]
        within = WITHIN.get(name, OF_POWERS if powers_of_steps(name, values) else 0)
        np.testing.assert_allclose(*np.transpose(pairs), rtol=within, atol=0, err_msg=f"{name} {values}")


def test_a_state_that_the_formula_has_must_be_there(engine, tmp_path):
    place = {"step": 2, "theta": [1, 2], "gradient": [3, 4], "states": {"exp_avg": [0, 0]}}
    script = """
        const { explained, ruleOf } = await load("explain");
        const rule = ruleOf(engine, engine.formulas.adam, Object.values(engine.optimizers.adam.dialects)[0]);
        try { say(explained(rule, given)); } catch (error) { say(error.message); }
    """
    assert in_page(script, tmp_path, place, engine) == "the state has no exp_avg_sq, which the formula has"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m <- eigenvectors(g)", "there is no function eigenvectors here, in 'eigenvectors(g)'"),
        ("m <- (g", "expected ')', got '' in '(g'"),
        ("m <- g $", "cannot read ' $' in 'g $'"),
        ("m <- g else 1", "unexpected 'else' in 'm <- g else 1'"),
        ("m g", "expected 'name <- expression' or 'name = expression', got 'm g'"),
        ("m = (1 if g else 2)", "expected a comparison, got 'else' in '(1 if g else 2)'"),
        ("m = g +", "expected a number, a name or '(', got '' in 'g +'"),
    ],
)
def test_what_is_no_line_is_refused(tmp_path, line, message):
    script = """
        const { parse } = await load("notation");
        try { say(parse(given)); } catch (error) { say(error.message); }
    """
    assert in_page(script, tmp_path, line) == message


def test_functions_give_what_numpys_give(tmp_path):
    draw = np.random.default_rng(1)
    arrays = [draw.standard_normal(shape) for shape in ((2, 3), (1, 2), (1, 1), (3, 1))]
    script = """
        const [{ FUNCTIONS, matrix }] = [await load("arrays")];
        say(Object.entries(FUNCTIONS).map(([name, of]) => [name, given.map(([rows, columns, data, other]) => {
          const x = matrix(rows, columns, data);
          const second = { matmul: FUNCTIONS.transpose(x) }[name] ?? matrix(rows, columns, other);
          const found = of(...(["matmul", "min", "max", "mod"].includes(name) ? [x, second] : [x]));
          if (typeof found === "number") return found;
          return { shape: [found.rows, found.columns], data: Array.from(found.data) };
        })]));
    """
    others = [draw.standard_normal(each.shape) for each in arrays]
    given_ = [
        [*each.shape, each.ravel().tolist(), other.ravel().tolist()] for each, other in zip(arrays, others, strict=True)
    ]
    found = dict(in_page(script, tmp_path, given_))
    assert set(notation.FUNCTIONS) - set(found) == {"eigenvectors", "orthonormal", "ordered"}
    with np.errstate(invalid="ignore"):
        for name, results in found.items():
            for x, other, result in zip(arrays, others, results, strict=True):
                second = {"matmul": [x.T], "min": [other], "max": [other], "mod": [other]}.get(name, [])
                expected = notation.FUNCTIONS[name](x, *second)
                value = result if not isinstance(result, dict) else np.reshape(result["data"], result["shape"])
                np.testing.assert_allclose(np.asarray(value, np.float64), expected, rtol=4e-16, err_msg=name)


# --- what is left out -------------------------------------------------------------------------------------------------

WITHOUT = """
    const [{ ruleWithout, TERMS }, { ruleOf }] = [await load("without"), await load("explain")];
    say(given.map(([name, values]) => TERMS.map((term) => {
      const rule = ruleWithout(ruleOf(engine, engine.formulas[name], values), term);
      return [term, rule && { lines: rule.lines, settings: rule.settings }];
    })));
"""


def without(engine, folder, cases):
    return [dict(each) for each in in_page(WITHOUT, folder, plain(cases), engine)]


def expressions(texts):
    return plain([vars(notation.parse(text)) for text in texts])


def test_hyperparameters_leave_out_momentum_epsilon_and_decay(engine, tmp_path):
    chosen = [spec("adamw", lr=0.1), spec("sgd", lr=0.1, momentum=0.9, nesterov=True), spec("sgd", lr=0.1)]
    cases = [(each.name, dict(each.settings)) for each in chosen]
    adamw, sgd, plain_sgd = without(engine, tmp_path, cases)
    assert adamw["momentum"]["settings"]["betas"] == [0, 0.999] and adamw["epsilon"]["settings"]["eps"] == 0
    assert adamw["decay"]["lines"] == expressions(spec("adam", lr=0.1).lines())
    assert sgd["momentum"]["lines"] == expressions(["theta <- theta - lr g"])
    assert set(plain_sgd.values()) == {None}


CHANGED = [
    ("adam", "article", "corrections", ["m^ = m / 1", "v^ = v / 1"]),
    ("adam", "keras", "corrections", ["theta <- theta - lr sqrt(1) / 1 m / (sqrt(v) + eps)"]),
    ("nadam", "paper", "corrections", ["m^ = mu_next m / 1 + (1 - mu) g / 1", "v^ = beta2 v / 1"]),
    ("radam", "torch", "corrections", ["m^ = m / 1", "d = (r sqrt(1) m^ / (sqrt(v) + eps) if rho > 5 else m^)"]),
    ("muon", "optax", "corrections", ["O = mu B / 1 + (1 - mu) g / 1"]),
    ("adam", "torch", "denominator", ["theta <- theta - lr m^ / (1 + eps)"]),
    ("adam", "keras", "denominator", ["theta <- theta - lr 1 / (1 - beta1^t) m / (1 + eps)"]),
    ("adamax", "paper", "denominator", ["theta <- theta - lr / (1 - beta1^t) m / 1"]),
    ("madgrad", "paper", "denominator", ["z = theta_0 - s / (1 + eps)"]),
    ("adadelta", "paper", "denominator", ["d = 1 / 1 g"]),
    ("adafactor", "paper", "denominator", ["U = g / 1"]),
    ("schedule_free_sgd", "paper", "denominator", None),
    ("fromage", "paper", "denominator", None),
    ("lion", "paper", "corrections", None),
    ("schedule_free_adamw", "authors", "momentum", None),  # divides by beta1, which is no momentum there
]


def test_terms_that_are_changed_in_the_lines(engine, tmp_path):
    given = [{**FAMILIES[name].settings(dialect), "lr": 0.1} for name, dialect, _, _ in CHANGED]
    cases = [(row[0], settings_of(row[0], values)) for row, values in zip(CHANGED, given, strict=True)]
    for (name, _, term, lines), (_, values), found in zip(
        CHANGED, cases, without(engine, tmp_path, cases), strict=True
    ):
        before = expressions(spec(name, **values).lines())
        after = found[term] and found[term]["lines"]
        changed = after and [line for line, earlier in zip(after, before, strict=True) if line != earlier]
        assert changed == (lines and expressions(lines)), (name, term)


# --- beside the rule that trains --------------------------------------------------------------------------------------

BESIDE = """
    const [{ explained, ruleOf }, { descended }] = [await load("explain"), await load("descent")];
    const { value, gradient } = engine.surfaces.quadratic;
    const problem = { start: [1.5, -0.75], value, gradient };
    const schedule = { value: (step) => 1 / (1 + step) };
    say(given.map(([name, values]) => {
      const run = engine.start(name, [{ values: { ...values }, params: [{ shape: [1, 2], value: problem.start }] }]);
      const [group] = run.groups;
      const theta = group.params[0].value;
      const path = descended({ problem, rule: ruleOf(engine, engine.formulas[name], values), schedule }, 8);
      const rows = [];
      for (let step = 1; step <= 8; step++) {
        const found = gradient(...theta).map(Math.fround);
        const kept = { ...run.numbers(0, 0), ...run.states(0, 0) };
        const states = Object.fromEntries(Object.entries(kept).map(([key, each]) => [key, each.slice?.() ?? each]));
        const before = Array.from(theta);
        group.values.lr = values.lr * schedule.value(step - 1);
        run.step([[Float32Array.from(found)]]);
        const rule = ruleOf(engine, engine.formulas[name], group.values);
        const { after } = explained(rule, { step, theta: before, gradient: found, states });
        const ours = Object.entries(run.states(0, 0)).map(([key, each]) => [rule.formula.states[key], [...each]]);
        const known = ours.filter(([symbol]) => symbol in after);
        rows.push({
          before, rule: Array.from(theta), formula: number(after.theta), path: [path.xs[step], path.ys[step]],
          states: known.map(([symbol, each]) => [each, number(after[symbol])]),
        });
      }
      return rows;
    }));
"""


ROUNDING = 64 * 2.0**-24  # of float32, in one step
OF_A_PATH = 2.0**-13  # in eight: Schedule-Free's paths swing, and errors with them


def test_formulas_and_the_rules_that_train_agree_up_to_rounding(engine, tmp_path):
    cases = [
        (name, plain({**optim.OPTIMIZERS[name].dialects[dialect], **variant}))
        for name, dialect, variant in (row.values for row in ROWS)
    ]
    cases = [(name, values) for name, values in cases if isinstance(values.get("lr"), float)]
    for (name, _), rows in zip(cases, in_page(BESIDE, tmp_path, cases, engine), strict=True):
        for row in rows:
            before, rule, formula, path = (np.array(row[key]) for key in ("before", "rule", "formula", "path"))
            size = np.abs(rule) + np.abs(rule - before)
            assert np.all(np.abs(rule - formula) <= ROUNDING * size), name
            assert np.all(np.abs(rule - path) <= OF_A_PATH * size), name
            for ours, its in row["states"]:
                np.testing.assert_allclose(np.ravel(its), np.ravel(ours), rtol=ROUNDING, err_msg=name)


def test_a_path_without_a_term_is_that_of_the_rule_without_it(engine, tmp_path):
    """Of momentum and decay, which hyperparameters leave out: what trains has the same path."""
    script = """
        const [{ ruleOf }, { ruleWithout }, { descended }] = [
          await load("explain"), await load("without"), await load("descent"),
        ];
        const { value, gradient } = engine.surfaces.quadratic;
        const problem = { start: [1.5, -0.75], value, gradient };
        const [adamw] = Object.values(engine.optimizers.adamw.dialects);
        const values = { ...adamw, lr: 0.25, weight_decay: 0.5 };
        const rule = ruleOf(engine, engine.formulas.adamw, values);
        say([["momentum", { betas: [0, 0.999] }], ["decay", { weight_decay: 0 }]].map(([term, patch]) => {
          const params = [{ shape: [1, 2], value: problem.start }];
          const run = engine.start("adamw", [{ values: { ...values, ...patch }, params }]);
          const theta = run.groups[0].params[0].value;
          for (let step = 0; step < 20; step++) run.step([[Float32Array.from(gradient(...theta))]]);
          const paths = [ruleWithout(rule, term), rule].map((each) =>
            descended({ problem, rule: each, schedule: null }, 20));
          return [Array.from(theta), ...paths.map(({ xs, ys }) => [xs[20], ys[20]])];
        }));
    """
    for trained, without_it, with_it in in_page(script, tmp_path, None, engine):
        np.testing.assert_allclose(without_it, trained, rtol=1e-5, atol=1e-6)
        assert not np.allclose(with_it, trained, rtol=1e-2)


# --- with numbers -----------------------------------------------------------------------------------------------------


# In the place of names there are numbers: with a power of ten for what is small or large, in parentheses where they are
# negative, and whole arrays in what sees them whole.
NUMBERS = [
    ("m <- beta1 m + (1 - beta1) g", "m = 0.9 (-0.5) + (1 - 0.9) 2"),
    ("y = sqrt(v) / (eps + g)", "y = sqrt(1235) / (10^(-8) + 2)"),
    ("y = eps^2 + (m)^2 + tiny^2 + (v)", "y = (10^(-8))^2 + (-0.5)^2 + (1.5 10^(-9))^2 + 1235"),
    ("y = (m if g > 0 else -m)", "y = (-0.5 if 2 > 0 else -(-0.5))"),
    ("y = huge g", "y = 2.5 10^7 2"),
]


def test_numbers_stand_in_the_place_of_names(tmp_path):
    script = """
        const [{ parse }, { matrix }, { withNumbers }] = [
          await load("notation"), await load("arrays"), await load("numbers"),
        ];
        const m = matrix(1, 2, [-0.5, 7]);
        const names = { beta1: 0.9, m, g: 2, eps: 1e-8, v: 1234.56, tiny: 1.5e-9, huge: 2.5e7 };
        say(given.map((text) => withNumbers(parse(text).expression, names, 0)));
    """
    found = in_page(script, tmp_path, [text for text, _ in NUMBERS])
    assert found == plain([notation.parse(text).expression for _, text in NUMBERS])


def test_arrays_and_values_that_are_no_numbers_are_drawn(tmp_path):
    script = """
        const [{ parse }, { matrix }, { withNumbers, valueNode }, { numbersAsMathml }] = [
          await load("notation"), await load("arrays"), await load("numbers"), await load("mathml"),
        ];
        const norm = withNumbers(parse("y = norm(z)").expression, { z: matrix(1, 2, [-3, 4]) }, 0);
        const rows = withNumbers(parse("y = rows(z)").expression, { z: matrix(1, 2, [-3, 4]) }, 0);
        const values = [5, -Infinity, NaN, matrix(2, 1, [1, 2])];
        const said = values.map((value) => numbersAsMathml(norm, valueNode(value, 0)));
        say([...said, numbersAsMathml(rows, valueNode(1, 0))]);
    """
    minus, sides = "<mo>−</mo>", "<mo>(</mo>{}<mo>)</mo>"
    array = sides.format(f"<mrow>{minus}<mn>3</mn></mrow><mo>,</mo><mn>4</mn>")
    begin = f"<math><mrow><mo>=</mo><mrow><mo>‖</mo><mrow>{array}</mrow><mo>‖</mo></mrow><mo>=</mo>"
    values = [
        "<mn>5</mn>",
        f"<mrow>{minus}<mn>∞</mn></mrow>",
        "<mn>NaN</mn>",
        f"<mrow>{sides.format('<mn>1</mn><mo>,</mo><mn>2</mn>')}</mrow>",
    ]
    *of_norm, of_rows = in_page(script, tmp_path)
    assert of_norm == [f"{begin}{value}</mrow></math>" for value in values]
    drawn = f"<mrow><mi>rows</mi><mrow>{array}</mrow></mrow>"
    assert of_rows == f"<math><mrow><mo>=</mo>{drawn}<mo>=</mo><mn>1</mn></mrow></math>"
