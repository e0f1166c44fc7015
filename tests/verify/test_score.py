"""The score: its families, its verdicts, and its command. A sample of candidates; the whole score takes days."""

import json

import pytest

from tinygrad_lr.verify.checks import optimizers as checks
from tinygrad_lr.verify.report import Finding, Report
from tinygrad_lr.verify.score import FAMILIES, Candidate, command, judge
from tinygrad_lr.verify.score.judging import judge_by_name, sample
from tinygrad_lr.verify.specification import spec

FEW = ("sgd", "adam", "lion")
MEMBERS = {name: family.members(FEW) for name, family in FAMILIES.items()}


def named(family, name):
    return next(each for each in MEMBERS[family] if each.name == name)


def test_every_candidate_has_a_name_of_its_own():
    for name, members in MEMBERS.items():
        assert members or name == "torch", name
        names = [each.name for each in members]
        assert len(set(names)) == len(names), name
        assert {each.family for each in members} <= {name}
        assert FAMILIES[name].statement.endswith(".")


def test_a_sample_takes_of_every_kind_and_stays():
    members = MEMBERS["steps"]
    chosen = sample(members, 30, 1)
    assert chosen == sample(members, 30, 1) != sample(members, 30, 2)
    assert len({each.kind for each in chosen}) == 30
    assert sample(members, None, 1) == members


SHOWS = (  # wrong ones, of which some scene must say that they are, and one that is the formula
    ("settings", "sgd, lr: is read once", True),
    ("settings", "sgd, momentum: is the first group's for all", True),
    ("sizes", "adam: the rest after vectors of 8 stays", True),
    ("layouts", "sgd: writes parameters through a copy", True),
    ("steps", "adam: is one ahead at step 1000", True),
    ("steps", "sgd: counts in int16", True),  # dampening spares the first step
    ("steps", "lion: counts in int16", False),  # Lion has no count
    ("buffers", "sgd: keeps the gradient by reference", True),
    ("groups", "adam: shares the state of equal shapes", True),
    ("saving", "adam, exp_avg: is loaded as zeros", True),
    ("dtypes", "adam in float64: computes float64 steps in float32", True),
    ("non-finite", "sgd: takes NaN for 0", True),
    ("dialects", "sgd: lr placement is inside, not outside", True),
    ("syntax", "adam: 1 - beta1 is 1 + beta1", True),
    ("syntax", "adam: beta1 ** t is beta1 * t", True),
    ("unusual forms", "adam: moments by lerp", False),
    ("unusual forms", "adam: running powers of beta", False),
    ("unusual memory", "adam: multiplies and adds with one rounding", False),
    ("unusual memory", "adam: shows one flat state for all", False),
    ("schedules", "cosine of 8 steps: is one step late from the end on", False),
    ("schedules", "cosine of 8 steps: begins again after its end", True),
)


def test_what_differs_from_its_formula_is_seen_without_the_kit():
    for family, name, wrong in SHOWS:
        assert named(family, name).differs() == wrong, (family, name)


def test_right_forms_of_every_formula_are_the_formula():
    for each in MEMBERS["unusual forms"]:
        assert not each.differs(), each.name


def test_a_moving_average_by_lerp_is_called_right_at_any_beta():
    members = FAMILIES["unusual forms"].members(("rmsprop",))
    lerp = next(each for each in members if each.name == "rmsprop: moments by lerp")
    report = lerp.check(properties=["P1", "P1.settings", "P1.pairs"])
    assert not report.failures, report


@pytest.fixture
def few_properties(monkeypatch):
    """check_optimizer with the fixed cases of P1 alone."""
    whole = checks.check_optimizer
    monkeypatch.setattr(
        checks,
        "check_optimizer",
        lambda *arguments, **options: whole(*arguments, **{**options, "properties": ["P1"], "max_examples": 0}),
    )


def test_verdicts(few_properties):
    caught = judge(named("sizes", "sgd: the first element stays"), right=False)
    assert (caught.verdict, caught.by) == ("caught", ("P1",)) and "theta after step" in caught.said
    missed = judge(named("saving", "sgd, lr: is not loaded"), right=False)  # P1 loads nothing
    assert (missed.verdict, missed.by, missed.said) == ("missed", (), "")
    refused = judge(named("steps", "lion: counts in int16"), right=False)
    assert refused.verdict == "refused"
    right = judge(named("unusual memory", "sgd: makes new arrays"), right=True)
    assert right.verdict == "called right"
    again = judge_by_name("unusual memory", "sgd: makes new arrays")
    assert again._replace(seconds=right.seconds) == right


def test_states_in_tuples_are_no_count_that_is_lost():
    """They look like torch's layout until the first step."""
    report = named("unusual memory", "adam: has states in a tuple").check(properties=["P9.count"], max_examples=0)
    assert report["P9.count"].outcome == "not applicable" and "layout" in report["P9.count"].reason


def test_a_right_one_that_fails_is_falsely_accused_and_an_error_of_the_kit_is_told(monkeypatch):
    broken = Report("x", [Finding("P3", "It is so.", "failed", where="here", expected="1", actual="2")])
    verdict = judge(Candidate("refusing", "k", "p", lambda: broken), right=True)
    assert (verdict.verdict, verdict.by, verdict.said) == (
        "falsely accused",
        ("P3",),
        "failed: here: expected 1, got 2",
    )
    wrong = judge(Candidate("sizes", "k", "p", lambda: broken), right=False)
    assert wrong.verdict == "caught"

    def raises(*arguments, **options):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(checks, "check_optimizer", raises)
    verdict = judge_by_name("refusing", "sgd: has one group")
    assert (verdict.verdict, verdict.said) == ("falsely accused", "the kit raised ZeroDivisionError: by zero")


def test_the_command_prints_a_table_names_what_is_wrong_and_judges_again(few_properties, tmp_path, capsys):
    file = tmp_path / "verdicts.json"
    only = ["--formula", "sgd", "--only", "sgd, nesterov: is inverted", "--only", "sgd, lr: drifts"]
    assert command.main(["--family", "settings", *only, "--jobs", "1", "--json", str(file)]) == 0
    first = capsys.readouterr()
    assert "caught by P1: settings: sgd, lr: drifts" in first.err
    rows = json.loads(file.read_text())
    assert {row["name"] for row in rows} == {"sgd, nesterov: is inverted", "sgd, lr: drifts"}
    (line,) = [line for line in first.out.splitlines() if line.startswith("all wrong")]
    assert int(line.split()[3]) + int(line.split()[4]) == 2
    missed = [row["name"] for row in rows if row["verdict"] == "missed"]
    assert all(f"  settings: {name}" in first.out for name in missed)
    assert command.main(["--family", "settings", "--formula", "sgd", "--again", str(file), "--jobs", "1"]) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[:3] == first.out.splitlines()[:3]


def test_the_command_lists_families_and_refuses_those_that_are_not(capsys):
    assert command.main(["--list", "--formula", "sgd"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name} (" in printed for name in FAMILIES)
    assert command.main(["--list", "--family", "torch"]) == 0
    with pytest.raises(SystemExit, match="--family must be one of .*settings, .*got 'sizess'"):
        command.main(["--family", "sizess"])


def test_what_a_user_takes():
    from tinygrad_lr.verify.score.subjects import takes

    assert takes(spec("adam", dialect="torch")) == ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize")


def test_the_kit_of_another_checkout_comes_first(tmp_path):
    (tmp_path / "tinygrad_lr" / "verify").mkdir(parents=True)
    for form in (["--kit", str(tmp_path)], [f"--kit={tmp_path}"]):
        alone = tmp_path / str(len(form))
        alone.mkdir()
        call = command.with_kit(tmp_path, alone, ["--seed", "3", *form])
        assert call[3:] == [str(tmp_path), str(alone), "--seed", "3", "--jobs", "1"]
        assert [path.name for path in alone.iterdir()] == ["score"]
    with pytest.raises(SystemExit, match="--kit must be a checkout"):
        command.with_kit(tmp_path / "nowhere", tmp_path, ["--kit", "nowhere"])
