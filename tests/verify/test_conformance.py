"""The difference matrix: the known cases are found by the checks themselves, and the document has what the rows say."""

import importlib.util
import inspect
import os
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import optim
from tinygrad_lr.verify import check_optimizer
from tinygrad_lr.verify.adapters import naive
from tinygrad_lr.verify.conformance import command as conformance
from tinygrad_lr.verify.conformance.document import document
from tinygrad_lr.verify.conformance.equals import (
    Entry,
    computed_dialects,
    dialects,
    differing_kinds,
    equals,
    examine,
    explain_difference,
    maker,
)
from tinygrad_lr.verify.conformance.optimizers import NO_FORMULA, NOT_EXAMINED, SCHEDULES, LibraryOptimizer, ours, peers
from tinygrad_lr.verify.conformance.worst import STARTS, Variant, WorstCase, error_over_bound, variants, worst_of
from tinygrad_lr.verify.formulas import FAMILIES
from tinygrad_lr.verify.protocol import Broken, Case
from tinygrad_lr.verify.report import Finding, Report
from tinygrad_lr.verify.specification import spec

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "numpy")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def needs(*names):
    for name in names:
        pytest.importorskip(name, reason=f"{name} is not installed here (extra `peers`)")


def row(library, name, **settings):
    return next(each for each in peers() if (each.library, each.name, each.settings) == (library, name, settings))


def equal(chosen):
    """The dialects that a row equals."""
    return set(computed_dialects(maker(chosen), dialects(chosen))[0])


def broken(chosen, *properties, dtype="float32"):
    claim = next(iter(dialects(chosen).values()))
    report = check_optimizer(maker(chosen), claim, dtype=dtype, max_examples=0, properties=properties)
    return {each.property_id: each for each in report.failures}


def in_section(start):
    """The finding of the section whose title starts so."""
    title, *asked = next(each for each in conformance.SECTIONS if each[0].startswith(start))
    return conformance.section(*asked)["P1"]


def said_instead(chosen):
    """The remark of a row that equals none of the dialects."""
    claims = dialects(chosen)
    report = check_optimizer(maker(chosen), next(iter(claims.values())), max_examples=0, properties=["P1"])
    return explain_difference(maker(chosen), claims, report)


# --- what libraries do, which changes with their versions only: each fact is a configuration ------------------------


def the_amsgrads_are_three(library, name):
    needs(library)
    assert equal(row(library, name, amsgrad=True)) == {library}


def the_papers_decay_is_multiplied_by_no_rate(library):
    needs(library)
    finding = in_section(f"{library} {'AdamW' if library == 'torch' else 'adamw'}")
    assert finding.outcome == "failed" and "decoupled_weight_decay=True" in finding.nearest_bug, str(finding)


def epsilon_hat_of_keras():
    needs("keras")
    finding = in_section("keras Adam")
    assert finding.outcome == "failed"
    assert finding.nearest_bug == "matches: eps_placement='hat', where the specification says 'outside'", str(finding)


def the_threshold_of_radam():
    needs("torch")
    assert equal(row("torch", "RAdam")) == {"torch"}
    finding = in_section("torch RAdam")
    assert finding.outcome == "failed" and "threshold=5.0" in finding.nearest_bug, str(finding)


def the_stale_first_update_of_optaxs_rprop():
    needs("optax")
    assert equal(row("optax", "rprop")) == set()
    finding = broken(row("optax", "rprop"), "P27", dtype="float64")["P27"]
    assert finding.nearest_bug == "matches: emits the update of the step before, optax #1725", str(finding)
    assert said_instead(row("optax", "rprop")) == "behaves as: emits the update of the step before, optax #1725"


def the_coefficient_of_optaxs_adan():
    needs("optax")
    assert equal(row("optax", "adan")) == set()
    finding = broken(row("optax", "adan"), "P1", dtype="float64")["P1"]
    assert finding.nearest_bug == "matches: one minus beta2 where beta2 is meant, optax #1715", str(finding)
    assert len(finding.example["gradients"]) == 2, "the first step is right"


def torchs_centred_rmsprop_gives_nan():
    needs("torch")
    finding = broken(row("torch", "RMSprop", centered=True), "P24")["P24"]
    assert finding.actual == "nan" and "of a constant gradient" in finding.where


def torchs_schedules():
    needs("torch")
    reports = dict(conformance.schedule_reports())
    one_cycle, restarts = (reports[title] for title, *_ in SCHEDULES)
    assert one_cycle["P37"].outcome == "failed" and one_cycle["P37"].example == {"step": 10}
    assert float(one_cycle["P37"].actual) < -0.14
    assert restarts["P40"].outcome == "failed" and restarts["P40"].example == {"step": 121}
    assert restarts["P40"].actual == "0.0" and "1.0" in restarts["P40"].expected


def what_was_not_known_before():
    needs("torch", "optax")
    empty = broken(row("torch", "Adafactor"), "P5")["P5"]
    assert "ZeroDivisionError" in empty.reason, "an empty parameter"
    still = broken(row("optax", "contrib.prodigy"), "P12")["P12"]
    assert still.actual == "nan" and still.example["gradients"] == [[[0.0]]] and still.nearest_bug is None


def a_bound_too_wide_to_tell_a_rate_of_one_percent_more_equals_nothing():
    needs("torch")
    chosen = row("torch", "Muon")
    assert not equals(maker(chosen), dialects(chosen)["torch"], "float32")


def a_host_in_float32_is_the_formula_with_such_scalars():
    needs("torch")
    assert (
        computed_dialects(maker(row("torch", "NAdam")), dialects(row("torch", "NAdam")))[1]
        == "with its scalars in float32"
    )


FACTS = {
    "the_amsgrads_are_three of torch": partial(the_amsgrads_are_three, "torch", "Adam"),
    "the_amsgrads_are_three of optax": partial(the_amsgrads_are_three, "optax", "amsgrad"),
    "the_papers_decay of torch": partial(the_papers_decay_is_multiplied_by_no_rate, "torch"),
    "the_papers_decay of optax": partial(the_papers_decay_is_multiplied_by_no_rate, "optax"),
}
for each in (
    epsilon_hat_of_keras,
    the_threshold_of_radam,
    the_stale_first_update_of_optaxs_rprop,
    the_coefficient_of_optaxs_adan,
    torchs_centred_rmsprop_gives_nan,
    torchs_schedules,
    what_was_not_known_before,
    a_bound_too_wide_to_tell_a_rate_of_one_percent_more_equals_nothing,
    a_host_in_float32_is_the_formula_with_such_scalars,
):
    FACTS[each.__name__] = each


@pytest.mark.sampled(one_in=5)
@pytest.mark.parametrize("name", FACTS)
def test_what_libraries_do(name):
    FACTS[name]()


def test_every_optimizer_of_the_libraries_is_a_row_or_has_a_reason():
    needs("torch", "optax", "keras")
    import keras
    import optax
    import torch

    said = {
        library: {each.name for each in peers() if each.library == library} | set(NOT_EXAMINED[library])
        for library in NOT_EXAMINED
    }
    for library, base in (("torch", torch.optim), ("keras", keras.optimizers)):
        classes = {name for name, each in vars(base).items() if isinstance(each, type)}
        assert {name for name in classes if issubclass(getattr(base, name), base.Optimizer)} - {"Optimizer"} <= said[
            library
        ]
    for prefix, module in (("", optax), ("contrib.", optax.contrib)):
        functions = {name: each for name, each in vars(module).items() if inspect.isfunction(each)}
        public = {
            prefix + name
            for name, each in functions.items()
            if not name.startswith(("scale_by_", "_")) and "learning_rate" in inspect.signature(each).parameters
        }
        assert public <= said["optax"], public - said["optax"]


def test_rows_name_formulas_and_cover_our_optimizers():
    assert {each.formula for each in peers() if each.formula} <= set(FAMILIES)
    assert {(each.formula, each.dialect) for each in ours()} == {
        (name, dialect) for name, cls in optim.OPTIMIZERS.items() for dialect in cls.dialects
    }
    assert LibraryOptimizer("torch", "SGD", "sgd", {"momentum": 0.9}).title == "SGD(momentum=0.9)"


def test_ours_equals_its_dialect_and_the_document_is_put_together():
    entry = examine(ours()[0], examples=0)
    assert ours()[0].dialect in entry.equals and entry.report.ok and entry.remark == ""
    finding = Finding("P1", "a statement", "failed", example={"params": [[0.0]]})
    where = "it raised ZeroDivisionError: 1/0 (/a/site-packages/library/file.py, line 3)"
    errors = [Finding(key, "a statement.", "error", where, raised="ZeroDivisionError") for key in ("P2", "P5", "P6")]
    entries = [entry, Entry(ours()[1], (), Report("x", [finding, *errors]), "the reason")]
    needs("torch", "optax", "jax", "keras")
    ratios = {"numba": dict.fromkeys(STARTS, 0.9), "numpy": dict.fromkeys(STARTS, 0.25)}
    worst = [WorstCase(Variant("adam", {"amsgrad": True}), "float32", ratios)]
    text = document(entries, [("what is shown", Report("x", [finding]))], worst, ("numba", "numpy"))
    assert (
        f"| tinygrad_lr | {ours()[0].title} | sgd |" in text
        and "| **none** | the reason | P1; ZeroDivisionError in P2, P5, P6 |" in text
    )
    assert (
        "P2  error: a statement. And so in P5, P6.\n      because   it raised ZeroDivisionError: 1/0 (library/" in text
    )
    assert (
        "| adam(amsgrad=True) | float32 | 0.900 | 0.250 | 0.900 | 0.250 |" in text and "      start     [[0.0]]" in text
    )
    assert "### what is shown" in text and "CUDA: not measured" in text


def test_one_more_percent_is_seen_on_every_kind_of_gradient_but_zeros():
    claim = spec("sgd", lr=0.75, momentum=0.9)
    longer = lambda params, lr, **more: naive("sgd")(params, lr=1.01 * lr, **more)  # noqa: E731
    assert list(differing_kinds(naive("sgd"), claim, "float64")) == []
    assert {"normal", "late", "long"} <= set(differing_kinds(longer, claim, "float64")) and "zero" not in set(
        differing_kinds(longer, claim, "float64")
    )


def test_the_worst_case_is_below_the_bound_and_a_wrong_update_is_none():
    worst = worst_of(Variant("sgd", {"momentum": 0.9}), "float32", examples=3)
    assert all(0 < ratio < 1 for starts in worst.ratios.values() for ratio in starts.values())
    assert worst.ratios["numba"] == worst.ratios["numpy"] and set(worst.ratios["numpy"]) == set(STARTS)
    case = Case(spec("sgd", lr=0.1), [np.zeros(1, np.float32)], [[np.ones(1, np.float32)]])
    longer = lambda params, lr, **more: naive("sgd")(params, lr=lr * (1 + 1e-6), **more)  # noqa: E731
    assert error_over_bound(naive("sgd"), case) < 1
    with pytest.raises(Broken, match="theta after step 1"):
        error_over_bound(longer, case)


def test_the_document_has_every_row_and_names_the_versions():
    text = DOCUMENT.read_text(encoding="utf-8")
    for each in [*peers(), *ours()]:
        assert f"| {each.library} | {each.title} | {each.formula or 'none here'} |" in text, each.title
    assert {(each.library, each.name) for each in peers() if not each.formula} == set(NO_FORMULA)
    for title, *_ in [*SCHEDULES, *conformance.SECTIONS]:
        assert f"### {title}" in text
    for subject in variants():
        assert f"| {subject.title} | float32 |" in text
    assert {subject.name for subject in variants()} == set(optim.OPTIMIZERS)
    if importlib.util.find_spec("torch"):
        assert f"torch {version('torch').split('+')[0]}" in text


def test_wrong_usage(capsys):
    assert conformance.main([]) == 2 and "usage" in capsys.readouterr().err
