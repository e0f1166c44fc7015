"""The difference matrix: the known cases are found by the checks themselves, and the document has what the rows say."""

import importlib.util
import inspect
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tinygrad_lr import optim
from tinygrad_lr.verify import check_optimizer, conformance
from tinygrad_lr.verify.conformance_rows import NOT_EXAMINED, OURS, SCHEDULES, Row, rows
from tinygrad_lr.verify.formulas import FAMILIES
from tinygrad_lr.verify.report import Finding, Report

DOCUMENT = Path(__file__).parent.parent / "docs" / "conformance.md"
if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "numpy")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def needs(*names):
    for name in names:
        pytest.importorskip(name, reason=f"{name} is not installed here (extra `peers`)")


def row(library, name, **settings):
    return next(each for each in rows() if (each.library, each.name, each.settings) == (library, name, settings))


def equal(chosen):
    """The dialects that a row equals."""
    make = conformance.maker(chosen)
    return {name for name, claim in conformance.dialects(chosen).items()
            if conformance.equals(make, claim)}  # fmt: skip


def broken(chosen, *properties, dtype="float32"):
    claim = next(iter(conformance.dialects(chosen).values()))
    report = check_optimizer(conformance.maker(chosen), claim, dtype=dtype, max_examples=0, properties=properties)
    return {each.property_id: each for each in report.failures}


def test_epsilon_hat_of_keras():
    needs("keras")
    finding = conformance.epsilon_of_keras()["P1"]
    assert finding.outcome == "failed"
    assert finding.nearest_bug == "matches: eps_placement='hat', where the specification says 'outside'", str(finding)


def test_the_amsgrads_are_three():
    needs("torch", "optax")
    assert equal(row("torch", "Adam", amsgrad=True)) == {"torch"}
    assert equal(row("optax", "amsgrad", amsgrad=True)) == {"optax"}


def test_the_threshold_of_radam():
    needs("torch")
    assert equal(row("torch", "RAdam")) == {"torch"}
    found = check_optimizer(conformance.maker(row("torch", "RAdam")), "radam", dtype="float64", max_examples=0,
                            properties=["P1"])["P1"]  # fmt: skip
    assert found.outcome == "failed"


def test_the_stale_first_update_of_optaxs_rprop():
    needs("optax")
    assert equal(row("optax", "rprop")) == set()
    finding = broken(row("optax", "rprop"), "P27", dtype="float64")["P27"]
    assert finding.nearest_bug == "matches: emits the update of the step before, optax #1725", str(finding)


def test_the_coefficient_of_optaxs_adan():
    needs("optax")
    assert equal(row("optax", "adan")) == set()
    finding = broken(row("optax", "adan"), "P1", dtype="float64")["P1"]
    assert finding.nearest_bug == "matches: one minus beta2 where beta2 is meant, optax #1715", str(finding)
    assert len(finding.example["gradients"]) == 2, "the first step is right"


def test_torchs_centred_rmsprop_gives_nan():
    needs("torch")
    finding = broken(row("torch", "RMSprop", centered=True), "P24")["P24"]
    assert finding.actual == "nan" and "of a constant gradient" in finding.where


def test_torchs_schedules():
    needs("torch")
    reports = dict(conformance.schedule_reports())
    one_cycle, restarts = (reports[title] for title, *_ in SCHEDULES)
    assert one_cycle["P37"].outcome == "failed" and one_cycle["P37"].example == {"step": 10}
    assert float(one_cycle["P37"].actual) < -0.14
    assert restarts["P40"].outcome == "failed" and restarts["P40"].example == {"step": 121}
    assert restarts["P40"].actual == "0.0" and "1.0" in restarts["P40"].expected


def test_what_was_not_known_before():
    needs("torch", "optax")
    empty = broken(row("torch", "Adafactor"), "P5")["P5"]
    assert "ZeroDivisionError" in empty.reason, "an empty parameter"
    still = broken(row("optax", "contrib.prodigy"), "P12")["P12"]
    assert still.actual == "nan" and still.example["gradients"] == [[[0.0]]] and still.nearest_bug is None


def test_a_bound_too_wide_to_tell_a_rate_of_one_percent_more_equals_nothing():
    needs("torch")
    chosen = row("torch", "Muon")
    claim = conformance.dialects(chosen)["torch"]
    assert not conformance.equals(conformance.maker(chosen), claim, "float32")


def test_every_optimizer_of_the_libraries_is_a_row_or_has_a_reason():
    needs("torch", "optax", "keras")
    import keras
    import optax
    import torch

    said = {library: {each.name for each in rows() if each.library == library} | set(NOT_EXAMINED[library])
            for library in NOT_EXAMINED}  # fmt: skip
    for library, base in (("torch", torch.optim), ("keras", keras.optimizers)):
        classes = {name for name, each in vars(base).items() if isinstance(each, type)}
        assert {name for name in classes if issubclass(getattr(base, name), base.Optimizer)} - {"Optimizer"} <= said[
            library
        ]
    for prefix, module in (("", optax), ("contrib.", optax.contrib)):
        functions = {name: each for name, each in vars(module).items() if inspect.isfunction(each)}
        public = {prefix + name for name, each in functions.items() if not name.startswith(("scale_by_", "_"))
                  and "learning_rate" in inspect.signature(each).parameters}  # fmt: skip
        assert public <= said["optax"], public - said["optax"]


def test_rows_name_formulas_and_cover_our_optimizers():
    assert {each.formula for each in rows() if each.formula} <= set(FAMILIES)
    assert {each.formula for each in OURS} == set(optim.OPTIMIZERS)
    assert Row("torch", "SGD", "sgd", {"momentum": 0.9}).title == "SGD(momentum=0.9)"


def test_ours_equals_its_dialect_and_the_document_is_put_together():
    entry = conformance.examine(OURS[0], examples=0)
    assert OURS[0].dialect in entry.equals and entry.report.ok
    finding = Finding("P1", "a statement", "failed", example={"params": [[0.0]]})
    entries = [entry, conformance.Entry(OURS[1], (), Report("x", [finding]))]
    needs("torch", "optax", "jax", "keras")
    text = conformance.document(entries, [], [("adam", "float32", "numba", 0.9)])
    assert f"| tinygrad_lr | {OURS[0].title} | sgd |" in text and "| **none** | P1 |" in text
    assert "| adam | float32 | numba | 0.900 |" in text and "      example" in text


def test_the_document_has_every_row_and_names_the_versions():
    text = DOCUMENT.read_text(encoding="utf-8")
    for each in [*rows(), *OURS]:
        assert f"| {each.library} | {each.title} | {each.formula or 'none here'} |" in text, each.title
    for title, *_ in SCHEDULES:
        assert f"### {title}" in text
    for name in optim.OPTIMIZERS:
        assert f"| {name} | float32 | numba |" in text
    if importlib.util.find_spec("torch"):
        assert f"torch {version('torch').split('+')[0]}" in text


def test_wrong_usage(capsys):
    assert conformance.main([]) == 2 and "usage" in capsys.readouterr().err
