"""One table of all properties: the ids are P1 to P49, each call checks what the table says, and rows declare whose."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.schedules import cosine
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify import protocol as check
from tinygrad_lr.verify.documents.explain import explain
from tinygrad_lr.verify.documents.properties import document
from tinygrad_lr.verify.formulas import FAMILIES
from tinygrad_lr.verify.mutants.drivers import Driver, Groups
from tinygrad_lr.verify.properties import PROPERTIES, equivalents, identities, number_of, one_step, scaling, structural
from tinygrad_lr.verify.properties.registry import property_table
from tinygrad_lr.verify.report import TITLES
from tinygrad_lr.verify.specification import spec

CALLS = {
    "check_optimizer": lambda: verify.check_optimizer(adapters.naive("sgd"), "sgd", max_examples=0),
    "check_clipping": lambda: verify.check_clipping(lambda grads, limit: grads),
    "check_schedule": lambda: verify.check_schedule(build=cosine, spec="cosine", total_steps=4, batches=2),
    "check_scheduler": lambda: verify.check_scheduler(
        Groups, Driver, total_steps=3, micro_step=lambda optimizer, driver, index: None
    ),
    "check_gradients": lambda: verify.check_gradients(lambda x: (x * x).sum(), [1.0]),
}
ELSEWHERE = {"P0", "P2"}  # P0 comes before all; P2 is asked of gradients, too
WITH_MORE = {"P40": {"cycles": [2, 2]}, "P43": {"parts": [cosine(4)]}}


def test_the_ids_are_those_from_1_to_49():
    assert {number_of(each)[0] for each in property_table()} == set(range(1, 50))
    assert [number_of(each)[0] for each in property_table()] == sorted(number_of(each)[0] for each in property_table())
    for row in property_table().values():
        assert row.statement.endswith(".") and row.applies.endswith("."), row
        assert row.calls and set(row.calls) <= set(CALLS) and all(hasattr(verify, call) for call in row.calls)
    assert set(TITLES) == {"P0", *property_table()}, "report/titles.py has a row for each, and no other"
    assert all(row.wrong.endswith(".") and len(row.name) < 24 and len(row.wrong) < 84 for row in TITLES.values())
    assert set(PROPERTIES) == {row.id for row in property_table().values() if row.calls == ("check_optimizer",)}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_checks_what_the_table_says(call):
    checked = {finding.property_id for finding in CALLS[call]().findings} - ELSEWHERE
    if call == "check_schedule":
        for property_id, settings in WITH_MORE.items():
            report = verify.check_schedule(cosine(4).repeat(2), total_steps=4, **settings)
            assert property_id in {finding.property_id for finding in report.findings}
            checked.add(property_id)
    assert checked == {row.id for row in property_table().values() if call in row.calls} - ELSEWHERE


@pytest.mark.parametrize(
    ("property_id", "message"),
    [
        ("P26", r"P26 has the parts P26\.norm, .* checked by verify\.check_clipping; here there are P1, P1\.changes"),
        ("P26.zero", r"P26\.zero is checked by verify\.check_clipping"),
        ("P39", r"P39 is checked by verify\.check_schedule"),
        ("P41", r"P41 is checked by verify\.check_scheduler"),
        ("P44", r"P44 is checked by verify\.check_gradients"),
        ("P50", "no property is called P50"),
    ],
)
def test_a_property_asked_of_the_wrong_call_names_the_right_one(property_id, message):
    with pytest.raises(ValueError, match=message):
        verify.check_optimizer(adapters.naive("sgd"), "sgd", properties=[property_id])
    with pytest.raises(ValueError, match=r"is checked by verify\.check_optimizer; here there are P0, P35"):
        verify.check_schedule(cosine(4), "cosine", total_steps=4, expected_failures={"P13": "?"})


def test_what_can_never_apply_is_declared_on_the_row():
    """No property that a rule is said to be asked is then refused for what the formula lacks."""
    speaks = explain("muon").split("Properties that speak about it: ")[1].splitlines()[0].split(", ")
    assert not {"P13", "P29", "P30", "P32"} & set(speaks) and "P12" in speaks
    assert "not P29: without momentum there is no state" in explain("sgd")
    assert "P29" in explain("sgd", momentum=0.9).split("speak about it: ")[1].splitlines()[0].split(", ")


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_said_to_apply_is_asked(name):
    """The formula itself has every method that a property may want: what does not apply to it is declared."""
    claim = spec(name)
    dtype = FAMILIES[name].narrow_in[0]
    rng = np.random.default_rng(0)
    shape = (2,) * max(FAMILIES[name].dimensions, 1)
    params = [np.asarray(rng.normal(size=shape), dtype)]
    gradients = [[np.asarray(rng.normal(size=shape), dtype)] for _ in range(3)]
    honest = adapters.naive(name)
    case = check.Case(claim, params, gradients, honest)
    for property_id, each in PROPERTIES.items():
        stateless = property_id == "P8" and not claim.state_keys(params[0])
        if each.reason_against_settings(claim) or property_id == "P1.range" or stateless:  # it wants other gradients
            continue
        each.check_one(honest, case)


def test_a_row_that_declares_too_much_would_be_seen():
    row = PROPERTIES["P32"]
    undeclared = check.Property("P32", row.statement, row.check)
    with pytest.raises(KeyError, match="decoupled_weight_decay"):
        undeclared(adapters.naive("muon"), check.Case(spec("muon"), [np.ones((2, 2))], [[np.ones((2, 2))]]))


def test_no_check_refuses_what_its_row_could_declare():
    """NotApplicable is raised for what depends on the subject or the example alone."""
    of_the_subject = ("get_state() shows no", "pass reference=", "pass spec=")
    for module in (identities, scaling, structural):
        for line in inspect.getsource(module).splitlines():
            if "raise NotApplicable" in line:
                assert any(reason in line for reason in of_the_subject), line
    assert "AMSGrad divides" in inspect.getsource(equivalents), "one part of P30 of several"
    assert inspect.getsource(one_step).count("raise NotApplicable") == 2, "examples, and dtypes with too wide a bound"


def test_the_document_is_what_the_command_writes():
    path = Path(__file__).parents[2] / "docs" / "properties.md"
    assert path.read_text(encoding="utf-8") == document(), (
        "python -m tinygrad_lr.verify.documents.properties > docs/properties.md"
    )


def test_a_property_is_explained():
    text = explain("p26.zero")
    assert "P26.zero  Gradients of zero stay zero" in text and "verify.check_clipping" in text
    assert all(f"P26.{part}" in explain("P26") for part in ("norm", "identity", "overflow"))
    assert "P33.average" in explain("P33")
    with pytest.raises(ValueError, match="no property is called P99"):
        explain("P99")
