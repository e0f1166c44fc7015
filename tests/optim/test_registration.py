"""One registration gives all: an optimizer from outside the package is in every table, and its tests run and pass.

The toy (tests/optim/toy) is what a user writes: a registration, a class, a rule and a formula.
"""

import argparse
import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import kernel_rows
import numpy as np
import pytest
from cli_cases import TABLE
from compiled_cases import flow
from cuda_cases import has_toolkit
from optimizer_cases import distinct_rows

from tinygrad_lr import backend, cli, cuda, optim, tensor, training
from tinygrad_lr.cli import arguments, warmup
from tinygrad_lr.kernels._kernel import Kernel
from tinygrad_lr.optim import table
from tinygrad_lr.optim.optimizer import kernels
from tinygrad_lr.optim.validation import non_negative
from tinygrad_lr.verify import adapters, check_optimizer, formulas, spec
from tinygrad_lr.verify.conformance import optimizers, worst
from tinygrad_lr.verify.documents.explain import explain
from tinygrad_lr.verify.documents.formulas import document

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"


@pytest.fixture
def toy(monkeypatch):
    """The toy, registered until the test ends."""
    monkeypatch.syspath_prepend(TOY.parent)
    monkeypatch.setattr(table.OPTIMIZERS, "rows", dict(table.OPTIMIZERS.rows))
    monkeypatch.setattr(formulas.FAMILIES, "_rows", dict(formulas.FAMILIES._rows))
    monkeypatch.delitem(sys.modules, "toy", raising=False)
    importlib.import_module("toy")
    return optim.OPTIMIZERS["toy"]


def test_the_toy_is_small():
    files = list(TOY.glob("*.py"))
    assert len(files) <= 4 and sum(path.read_text().count("\n") for path in files) <= 60


# --- what a user sees ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["train", "warmup"])
def test_the_command_line_offers_it(command, toy, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "toy" in said and ("toy an average of past gradients" in said)
    cli.parser().parse_args([command, "--optimizer", "toy"])


def test_without_a_registration_it_is_unknown(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--optimizer", "toy"])
    assert "invalid choice: 'toy'" in capsys.readouterr().err


def test_train_and_explain_take_it(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    assert cli.main(["train", "table.csv", "--target", "effect", "--optimizer", "toy", "--epochs", "2"]) == 0
    assert '"--dialect=own"' in (tmp_path / "runs" / "table" / "run.json").read_text()
    assert cli.main(["explain", "toy", "--dialect", "quick"]) == 0
    assert "theta <- theta - lr m" in capsys.readouterr().out


@pytest.mark.parametrize("dialect", ["own", "quick"])
def test_fit_trains_with_it_eager_and_compiled(toy, dialect, monkeypatch):
    if not backend.compiles():
        monkeypatch.setattr(backend, "compiles", lambda: True)
        monkeypatch.setattr(backend, "require_compiler", lambda: None)
    trained = []
    for compiled in (False, True):
        model, loss, optimizer, loader = flow(lambda params: toy(params, lr=0.1, dialect=dialect))
        history = training.fit(model, loss, optimizer, loader, epochs=20, progress=False, compiled=compiled)
        assert history.loss[-1] < 0.5 * history.loss[0]
        trained.append([param.data.copy() for param in model.parameters()])
    for eager, machine in zip(*trained, strict=True):
        np.testing.assert_allclose(machine, eager, rtol=1e-4)


def test_verify_holds_it_to_its_formula(toy, capfd):
    report = check_optimizer(adapters.own(toy), spec("toy"), max_examples=3)
    assert report.ok, str(report)
    assert report["P1"].outcome == "passed"
    assert cli.main(["verify", "toy", "--dialect", "quick", "--properties", "P1,P2"]) == 0  # in a process of its own
    assert "toy.optimizer.Toy against toy (quick)" in capfd.readouterr().out


def test_a_wrong_toy_is_found(toy, monkeypatch):
    monkeypatch.setattr(toy, "constants", lambda self, group: {"sign": 1.0, "momentum": group["momentum"], "rest": 0.3})
    assert "P1" in {each.property_id for each in check_optimizer(adapters.own(toy), spec("toy")).failures}


def test_its_arguments_are_seen():
    code = "import toy; from tinygrad_lr import optim; help(optim.OPTIMIZERS['toy'])"
    said = run([sys.executable, "-c", code]).stdout
    assert "lr: float | None = None, momentum: float | None = None, dialect: str = 'own'" in said
    assert "lr: rate, at least 0 (default: 0.001; quick: 0.1)." in said
    assert '"own" or "quick": whose defaults are taken for what is None.' in said


def test_an_installed_distribution_registers_it_by_an_entry_point(tmp_path):
    """`toy` is not imported by hand, and unknown until somebody asks for it."""
    (tmp_path / "toy-1.0.dist-info").mkdir()
    (tmp_path / "toy-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (tmp_path / "toy-1.0.dist-info" / "entry_points.txt").write_text("[tinygrad_lr.optimizers]\ntoy = toy\n")
    for words in (["explain", "toy"], ["train", "--help"], ["verify", "toy", "--properties", "P1"]):
        done = run([sys.executable, "-m", "tinygrad_lr", *words], tmp_path)
        assert done.returncode == 0 and re.search("toy", done.stdout, re.IGNORECASE), done.stderr
    quick = "from tinygrad_lr import optim; optim.OPTIMIZERS['adam']; print('toy' in optim.OPTIMIZERS.rows)"
    assert run([sys.executable, "-c", quick], tmp_path).stdout == "False\n", "a known name reads no entry points"


def run(command, *path):
    places = [str(each) for each in (*path, TOY.parent, ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


# --- every table has it -------------------------------------------------------------------------------------------


def benchmark():
    found = importlib.util.spec_from_file_location("benchmark", ROOT / "benchmarks" / "optimizers.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.OPTIMIZERS


TABLES = {
    "optim.OPTIMIZERS": lambda: optim.OPTIMIZERS,
    "the formulas": lambda: formulas.FORMULAS,
    "the cases of the property tests": lambda: {row.values[0] for row in distinct_rows()},
    "the kernels of the kernel tests": lambda: {name.partition(".")[0] for name in kernel_rows.tables()},
    "the rows of the conformance document": lambda: {row.formula for row in optimizers.ours()},
    "its worst cases": lambda: {variant.name for variant in worst.variants()},
    "docs/formulas.md": lambda: set(re.findall(r"^`(\w+)`", document(), re.MULTILINE)),
    "what warmup compiles": lambda: {loop_of(call) for _, call in warmup.calls(list(optim.OPTIMIZERS), np.dtype("f4"))},
    "the benchmark of optimizers": benchmark,
    "what explain knows": lambda: explained(),
    "what the command line knows": lambda: refused(),
}


def loop_of(call):
    kernel = call.args[0]
    return kernel.module.partition(".")[0] if isinstance(kernel, Kernel) else ""


def refused():
    """The words of the error for a name that there is not."""
    with pytest.raises(argparse.ArgumentTypeError) as error:
        arguments.optimizer("nothing")
    return re.findall(r"\w+", str(error.value))


def explained():
    with pytest.raises(ValueError) as error:
        explain("nothing")
    return re.findall(r"\w+", str(error.value))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_it_as_soon_as_it_is_registered(name, request):
    assert "toy" not in TABLES[name]()
    request.getfixturevalue("toy")
    assert "toy" in TABLES[name](), f"{name} does not follow optim.OPTIMIZERS"


# --- the tests that are made from the tables ----------------------------------------------------------------------

DRIVEN = [
    "tests/kernels/test_kernels.py",
    "tests/kernels/test_kernel_mutation.py",
    "tests/kernels/test_cuda.py",
    "tests/kernels/test_clipping.py",
    "tests/compiled/test_compiled.py",
    "tests/optim/test_copies.py",
    "tests/optim/test_optim.py",
    "tests/optim/test_state.py",
    "tests/optim/test_optimizers_formulas.py",
    "tests/optim/test_optimizers_properties.py",
    "tests/optim/test_optimizers_state_machine.py",
    "tests/verify/test_check_optimizer.py",
    "tests/verify/test_specifications.py",
    "tests/verify/test_registry.py",
    "tests/cli/test_explain.py",
]


def test_every_file_of_tests_that_asks_the_tables_tests_it():
    """Compiled = Python = NumPy, PTX, mutants, the formula's bound, properties, groups, a clipped and a compiled step.

    In a process in which it is registered from the start, as it is for a user.
    """
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "-vv", "-p", "toy", "-k", "toy"]
    done = run([*command, *DRIVEN])
    assert done.returncode == 0, done.stdout[-3000:]
    passed = set(re.findall(r"^(tests/\S+\.py)::.* PASSED", done.stdout, re.MULTILINE))
    of_cuda = "test_simulated_cuda_loop_equals_cpu_loop[9-float32-toy.kernel-plain] PASSED"
    expected = set(DRIVEN)
    if not cuda.is_simulated():
        outcome = "PASSED" if has_toolkit() else "SKIPPED"
        of_cuda = f"test_cuda_loop_compiles_to_ptx_for_compute_capability_9_0[float32-toy.kernel-plain] {outcome}"
        if not has_toolkit():  # it skips all that is the toy's there
            expected.remove("tests/kernels/test_cuda.py")
    assert passed == expected, f"no test of the toy in {sorted(expected - passed)}"
    assert of_cuda in done.stdout


# --- no list stands anywhere else ---------------------------------------------------------------------------------

LISTS = {
    "tinygrad_lr/optim/table.py": "the table",
    "tinygrad_lr/verify/formulas/__init__.py": "the table of formulas",
    "tests/verify/test_enclosure.py": "the precision of each formula",
    "tinygrad_lr/verify/properties/identities.py": "what a property says of each of six formulas",
    "tests/cases/torch_cases.py": "more settings than the class says; it compares all that torch has",
    "tests/cases/parity/torch_optimizers.py": "the configurations that torch's own tests have, and what refuses them",
    "tests/optim/test_registration.py": "the names that are looked for",
    "examples/numpy_arrays.py": "four of them, with rates for a function",
}


FIRST = {"sgd", "adagrad", "rmsprop", "adam"}


def lists_of_optimizers(text):
    """The lines of lists, tuples, sets and dicts that name three of the first four optimizers or more."""
    if sum(name in text.lower() for name in FIRST) < 3:  # most files, which need not be parsed
        return
    for node in ast.walk(ast.parse(text)):
        items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
        words = {str(item.value).lower() for item in items if isinstance(item, ast.Constant)}
        if len(words & FIRST) >= 3:
            yield node.lineno


def test_no_list_of_optimizers_stands_anywhere_else():
    files = [
        path for room in ("tinygrad_lr", "tests", "benchmarks", "examples") for path in (ROOT / room).rglob("*.py")
    ]
    found = {str(path.relative_to(ROOT)): list(lists_of_optimizers(path.read_text())) for path in files}
    assert {name: lines for name, lines in found.items() if lines and name not in LISTS} == {}
    assert not [name for name in LISTS if not found[name]], "a list that is gone"


def test_a_list_of_optimizers_is_seen():
    assert list(lists_of_optimizers("x = 1\nNAMES = ['sgd', 'adam', 'Adagrad']")) == [2]
    assert not list(lists_of_optimizers("['sgd', 'adam', 'lion']"))


# --- what a row lacks ---------------------------------------------------------------------------------------------


def lacks(name):
    """What an optimizer lacks, each in a sentence."""
    row, cls = optim.OPTIMIZERS.rows[name], optim.OPTIMIZERS[name]
    first = next(iter(cls.dialects), None)
    if first is None:
        return [f"{name}: {row.place} has no dialects; write class {cls.__name__}(Optimizer, dialects=(...))"]
    if name not in formulas.FAMILIES:
        return [f"{name} has no formula; add one to verify/formulas/, or name one in its registration"]
    found, family = [], formulas.FAMILIES[name]
    default = inspect.signature(cls).parameters["dialect"].default
    if default != first:
        found.append(f"{name}: the constructor's default dialect is {default!r}, the first one is {first!r}")
    if missing := set(family.defaults) ^ set(cls.hyperparameters):
        found.append(f"{name}: the formula or {cls.__name__} has no hyperparameter {sorted(missing)}")
    for dialect, settings in cls.dialects.items():
        if dialect not in family.dialects:
            found.append(f"{name}: the formula has no dialect {dialect!r}")
        elif family.settings(dialect) != settings:
            found.append(f"{name}: formula and class have other defaults in dialect {dialect!r}")
    optimizer = cls([tensor([1.0], requires_grad=True)], dialect=first)
    needed = {optimizer.variant({**settings, **each}) for settings in cls.dialects.values() for each in cls.examined}
    for key in sorted(set(kernels(cls.kernels)) - needed):
        found.append(f"{name}: no setting in {cls.__name__}.examined needs the kernel {key!r} of {cls.kernels}")
    return found


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_no_row_lacks_anything(name):
    assert lacks(name) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("dialects", {}, "toy: toy.optimizer:Toy has no dialects; write class Toy(Optimizer, dialects=(...))"),
        ("dialects", {"quick": {"lr": 0.1, "momentum": 0.9}}, "default dialect is 'own', the first one is 'quick'"),
        ("dialects", {"own": {"lr": 0.1, "momentum": 0.9}}, "other defaults in dialect 'own'"),
        ("dialects", {"own": {}, "keras": {}}, "the formula has no dialect 'keras'"),
        ("hyperparameters", {"lr": None}, "the formula or Toy has no hyperparameter ['momentum']"),
        ("examined", [], "no setting in Toy.examined needs the kernel 'plain' of toy.kernel"),
    ],
)
def test_what_a_row_lacks_is_said(name, value, sentence, toy, monkeypatch):
    assert lacks("toy") == []
    monkeypatch.setattr(toy, name, value)
    assert any(sentence in each for each in lacks("toy")), lacks("toy")


def test_a_row_without_a_formula_is_said_to_have_none(toy, monkeypatch):
    monkeypatch.setitem(table.OPTIMIZERS.rows, "toy", table.Entry("toy.optimizer:Toy", "without a formula"))
    assert lacks("toy") == ["toy has no formula; add one to verify/formulas/, or name one in its registration"]


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_editors_see_every_class(name):
    place, _, cls = optim.OPTIMIZERS.rows[name].place.partition(":")
    line = f"    from .{place.rpartition('.')[2]} import {cls} as {cls}\n"
    text = (ROOT / "tinygrad_lr" / "optim" / "__init__.py").read_text()
    assert line in text, f"optim/__init__.py lacks, below TYPE_CHECKING: {line.strip()}"


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("sgd", "toy.optimizer:Toy"), "there is an optimizer 'sgd' already, tinygrad_lr.optim.sgd:SGD"),
        (("mine", "toy.optimizer"), "expected the class as 'module:Name', at the top of a module; got 'toy.optimizer'"),
        (("mine", type("Local", (), {"__qualname__": "f.<locals>.Local"})), "at the top of a module; got"),
        (("mine", "toy.optimizer:Toy", "formula"), "expected the formula as 'module:Name'"),
    ],
)
def test_a_registration_that_cannot_work_is_refused(given, message):
    name, place, *formula = given
    with pytest.raises(ValueError, match=message):
        optim.register(name, place, "one line", formula="".join(formula))
    assert "mine" not in optim.OPTIMIZERS


def test_registering_twice_changes_nothing_and_a_class_will_do(toy):
    row = optim.OPTIMIZERS.rows["toy"]
    optim.register("toy", toy, row.summary, formula=row.formula)
    assert optim.OPTIMIZERS.rows["toy"] == row and optim.OPTIMIZERS["toy"] is toy


def test_a_formula_of_another_name_is_refused(toy):
    optim.register("other", toy, "another name", formula="toy.formula:FAMILY")
    with pytest.raises(ValueError, match="toy.formula:FAMILY must be a Family with the name 'other'"):
        formulas.FAMILIES["other"]


class Bare(optim.Optimizer, dialects=("own",)):
    """A class whose rule takes what it does not compute."""

    kernels = "toy.kernel"

    def __init__(
        self, params, lr: Annotated[float | None, optim.Hyperparameter("rate", non_negative, 0.1)] = None, dialect="own"
    ):
        super().__init__(params, dialect, locals())


def test_a_scalar_that_a_class_does_not_compute_is_named(toy):
    parameter = tensor([1.0], requires_grad=True)
    optimizer = Bare([parameter])
    parameter.grad = [1.0]
    with pytest.raises(TypeError, match="rule of Bare takes 'momentum', which Bare does not compute"):
        optimizer.step()


def test_a_rule_without_a_sign_is_refused(toy, monkeypatch):
    parameter = tensor([1.0], requires_grad=True)
    optimizer = toy([parameter])
    parameter.grad = [1.0]
    (kernel,) = kernels(toy.kernels).values()
    monkeypatch.setitem(vars(kernel), "scalars", ("lr",))
    with pytest.raises(TypeError, match="rule of Toy must take a scalar 'sign'"):
        optimizer.step()


def test_a_subclass_may_have_fewer_dialects_and_other_defaults():
    class Article(optim.SGD, dialects=("article",)):
        """SGD as the article has it."""

        hyperparameters = {"momentum": optim.SGD.hyperparameters["momentum"].having(0.5)}

    assert list(Article.dialects) == ["article"] and list(optim.SGD.dialects)[:2] == ["article", "torch"]
    assert Article([tensor([1.0], requires_grad=True)]).defaults["momentum"] == 0.5
    assert "momentum: mu, in [0, 1]; 0 is none (default: 0.5)." in Article.__doc__
    assert optim.SGD.dialects["article"]["momentum"] == 0.0


def test_a_default_for_a_dialect_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="Wrong: lr has a default for {'kears'}, but the dialects are"):
        type("Wrong", (optim.SGD,), {"hyperparameters": {"lr": optim.Hyperparameter("rate", non_negative, 1, kears=2)}})
