"""What other libraries' schedules are here: each row against the reference formula, and against optax itself."""

from pathlib import Path

import pytest

from tinygrad_lr.schedules import SCHEDULES, cosine, linear, polynomial, warmup
from tinygrad_lr.schedules.equivalents import EQUIVALENTS
from tinygrad_lr.verify.adapters.schedules import PEERS, As, Only
from tinygrad_lr.verify.documents.schedules import document
from tinygrad_lr.verify.formulas.schedules import REFERENCES, exact, times

BASE = 0.25
LIBRARIES = ("transformers", "timm", "optax", "keras")
CLAIMS = [(peer, formula) for peer in PEERS if peer.library in LIBRARIES for formula in peer.formulas]


def row_of(peer, formula):
    """The row of a library's schedule that claims to be a formula."""
    named = [row for row in EQUIVALENTS if (row.library, row.name) == (peer.library, peer.name)]
    return next((row for row in named if row.formula == formula), None) or next(row for row in named if not row.formula)


def arguments_of(peer, formula, warm):
    """A formula's arguments and options, and the other library's, which the adapter translates."""
    reference = REFERENCES[formula]
    given = dict(reference.example)
    if warm and "warmup_steps" in peer.names and "warmup_steps" in (reference.options or {}):
        given |= {"warmup_steps": 3, **({"clock": warm} if "clock" in peer.names else {})}
    if peer.library == "keras" and "switches" in (reference.options or {}):
        given["switches"] = "after"
    if peer.library == "timm" and formula in ("multi_step", "cosine_restarts"):
        given |= {"switches": "before"} if formula == "multi_step" else {"num_cycles": 2, "cycle_mul": 2.0}
    if peer.name.endswith("onecycle_schedule"):
        given |= {"ends_at": "T"}
    given |= {name: only.value for name, only in peer.names.items() if isinstance(only, Only)}
    if "stable_steps" in given and isinstance(peer.names.get("stable_steps"), Only):
        given["stable_steps"] = 0
    if peer.name == "get_wsd_schedule":
        given["start"] = given["end"]
    if peer.library in ("optax", "keras") and given.get("values"):
        given["values"] = [1.0, 0.5, 0.25]
    all_ = {**reference.checked(given), "base": BASE}
    theirs = {}
    for name, about in {**peer.names, **(peer.fixed or {})}.items():
        if isinstance(about, As):
            theirs[about.theirs] = about.compute(all_)
        elif isinstance(about, str):
            theirs[about] = all_[name]
    return reference.checked(given), theirs


def test_every_schedule_that_the_adapters_know_has_an_equivalent():
    known = {(peer.library, peer.name) for peer, _ in CLAIMS}
    assert known == {(row.library, row.name) for row in EQUIVALENTS}
    assert {peer.library for peer in PEERS} == {*LIBRARIES, "torch"}  # torch's are classes here


@pytest.mark.parametrize("warm", ["", "after warm-up", "from zero"])
@pytest.mark.parametrize(("peer", "formula"), CLAIMS, ids=lambda each: getattr(each, "name", each))
def test_the_expression_is_the_formula(peer, formula, warm):
    if warm and not ("warmup_steps" in peer.names and "warmup_steps" in (REFERENCES[formula].options or {})):
        warm = ""
    given, theirs = arguments_of(peer, formula, warm if warm != "from zero" or "clock" in peer.names else "")
    schedule = row_of(peer, formula).build(theirs, BASE)
    rates = peer.library in ("optax", "keras")  # the others give factors
    for step in range(40):
        low, high = times(BASE, REFERENCES[formula].enclosure(step, **given))
        slack = exact(2.0**-48) * BASE  # the ends are quotients of rates, and products are rounded once more
        assert low - slack <= exact(schedule(step) * (1 if rates else BASE)) <= high + slack, step


@pytest.mark.parametrize(
    ("peer", "formula"),
    [each for each in CLAIMS if each[0].library == "optax"],
    ids=lambda each: getattr(each, "name", each),
)
def test_the_expression_has_optaxs_values(peer, formula):
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")
    _, theirs = arguments_of(peer, formula, "after warm-up")
    schedule = row_of(peer, formula).build(theirs, BASE)
    other = getattr(optax, peer.name)(**theirs)
    for step in range(0, 30, 3):
        assert schedule(step) == pytest.approx(float(other(step)), rel=3e-6, abs=1e-7), step


def test_what_optax_joins_is_one_after_another():
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")
    row = next(row for row in EQUIVALENTS if row.name == "warmup_cosine_decay_schedule")
    cycles = [
        {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 2, "decay_steps": 7, "end_value": 0.1},
        {"init_value": 0.1, "peak_value": 0.5, "warmup_steps": 0, "decay_steps": 5, "end_value": 0.0},
        {"init_value": 0.2, "peak_value": 0.4, "warmup_steps": 3, "decay_steps": 9, "end_value": 0.3},
    ]
    first, second, third = (row.build(cycle) for cycle in cycles)
    sgdr, joined = optax.sgdr_schedule(cycles), first.then(second).then(third)
    lines = [optax.linear_schedule(1.0, 0.5, 4), optax.cosine_decay_schedule(0.5, 10)]
    join, then = optax.join_schedules(lines, [4]), linear(4, 1.0, 0.5).then(cosine(10) * 0.5)
    for step in range(30):
        assert joined(step) == pytest.approx(float(sgdr(step)), rel=3e-6, abs=1e-7), step
        assert then(step) == pytest.approx(float(join(step)), rel=3e-6, abs=1e-7), step


@pytest.mark.filterwarnings("ignore")
def test_what_optax_makes_of_no_steps_is_what_the_document_says(caplog):
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")
    assert float(optax.linear_schedule(1.0, 0.5, 0)(9)) == 1.0 and linear(0, 1.0, 0.5)(0) == 0.5
    assert float(optax.polynomial_schedule(1.0, 0.5, 2, 0)(9)) == 1.0 and polynomial(0, 2, 0.5)(0) == 0.5
    assert float(optax.warmup_constant_schedule(0.25, 1.0, 0)(9)) == 0.25 and warmup(0, 0.25)(0) == 1.0


def test_the_document_is_what_the_command_writes():
    path = Path(__file__).parents[2] / "docs" / "schedules.md"
    assert path.read_text(encoding="utf-8") == document(), (
        "python -m tinygrad_lr.verify.documents.schedules > docs/schedules.md"
    )


def test_a_wrong_expression_is_found():
    row = next(row for row in EQUIVALENTS if row.name == "get_linear_schedule_with_warmup")
    wrong = row._replace(ours=row.ours.replace("num_training_steps - ", "num_training_steps + "))
    peer = next(peer for peer in PEERS if peer.name == row.name)
    given, theirs = arguments_of(peer, "linear", "after warm-up")
    low, high = REFERENCES["linear"].enclosure(9, **given)
    assert low <= exact(row.build(theirs)(9)) <= high and not low <= exact(wrong.build(theirs)(9)) <= high
    assert row.build(theirs) == warmup(3).then(SCHEDULES["linear"].build(8))
