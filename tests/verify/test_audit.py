"""The audit's list, judgements and document; nothing is installed here."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tinygrad_lr.verify.audit import command, document, environments, judging, results, rows, running
from tinygrad_lr.verify.audit.judgements import JUDGEMENTS
from tinygrad_lr.verify.formulas.schedules import REFERENCES
from tinygrad_lr.verify.report import Finding, Report

PACKAGE = rows.PACKAGES[0]
ROW = rows.Row("torch.optim:SGD", "sgd", "torch", {"momentum": 0.9})
TRUE = judging.Judgement("torch", "SGD", ("P1",), "true", "It does nothing.", "Polyak 1964", "Nothing is trained.")


def result(outcome="failed", property_id="P1.settings", **more):
    finding = Finding(property_id, "A statement.", outcome, example={"params": [[0.0]]})
    report = json.loads(json.dumps(Report("SGD", [finding, Finding("P2", "Another.", "passed")]).as_dict()))
    found = results.Result("torch", ROW.title, "key", "2.13.0", report=report, texts={property_id: "P1 failed: 1 is 2"})
    return replace(found, **more)


def judged(*judgements, found=None):
    return judging.judge([(PACKAGE, ROW, found or result())], judgements)


def test_every_row_has_a_formula_a_dialect_and_settings_that_exist_and_a_place_of_its_own(tmp_path):
    places = set()
    for package in rows.PACKAGES:
        assert package.library in ("torch", "optax", "keras", "numpy"), package.name
        for row in package.rows:
            if isinstance(row, rows.ScheduleRow):
                assert not row.formula or row.formula in REFERENCES, row.title
            else:
                claim = running.claim_of(row)
                unknown = {*row.names, *row.without} - set(claim.all_names)
                assert not unknown, f"{package.name} {row.title}: the formula has no {unknown}"
            places.add(results.path_of(tmp_path, package, row))
    assert len(places) == sum(len(package.rows) for package in rows.PACKAGES) >= 150
    assert len({package.name for package in rows.PACKAGES}) == len(rows.PACKAGES)


def test_every_judgement_is_about_an_optimizer_of_the_list():
    names = {(package.name, row.name) for package in rows.PACKAGES for row in package.rows}
    names |= {(package.name, "*") for package in rows.PACKAGES}
    for judgement in JUDGEMENTS:
        assert (judgement.package, judgement.optimizer) in names, judgement


def test_the_judgement_that_speaks_nearest_counts():
    whole, part = TRUE, replace(TRUE, properties=("P1.settings",), verdict="disputed")
    everybody = replace(TRUE, optimizer="*", properties=("P1.settings",), verdict="documented")
    row_alone = replace(TRUE, only="momentum", verdict="withheld")
    for more in ((whole, part), (part, whole), (everybody, whole, part)):
        assert judged(*more).cases[0].verdict == "disputed"
    assert judged(everybody, whole).cases[0].verdict == "true"
    assert judged(part, row_alone).cases[0].verdict == "withheld"


def test_a_judgement_names_its_verdict_its_sentence_its_source_and_its_meaning():
    with pytest.raises(ValueError, match="a verdict is one of true, withheld, disputed, documented, got 'wrong'"):
        replace(TRUE, verdict="wrong")
    with pytest.raises(ValueError, match="the judgement on torch SGD has no source"):
        replace(TRUE, source=" ")


def test_a_judgement_covers_its_properties_parts_in_its_versions_alone():
    assert judged(TRUE).cases[0].verdict == "true"
    assert judged(replace(TRUE, verdict="documented")).cases[0].verdict == "documented"
    assert judged(replace(TRUE, properties=("P2",))).cases[0].verdict == "not judged"
    assert judged(replace(TRUE, until="2.12.9")).cases[0].verdict == "not judged"
    assert judged(replace(TRUE, since="2.13", until="2.13.0")).cases[0].verdict == "true"
    assert judged(replace(TRUE, only="nesterov")).cases[0].verdict == "not judged"
    assert judged(replace(TRUE, optimizer="Adam")).cases[0].verdict == "not judged"
    assert judged(replace(TRUE, optimizer="*")).cases[0].verdict == "true"


def test_the_document_refuses_an_accusation_that_nobody_judged(tmp_path, capsys):
    with pytest.raises(document.Unjudged, match=r"not judged yet: torch SGD\(momentum=0.9\): P1.settings"):
        document.document(judged(), "2026-11-29", "1.0")
    target = tmp_path / "audit.md"
    assert command.conclude(judged(), target) == 1
    assert not target.exists()
    assert "not judged yet: torch SGD(momentum=0.9): P1.settings" in capsys.readouterr().out


def test_the_document_has_counts_a_table_the_judgement_the_example_and_the_script(tmp_path, capsys):
    found = result(scripts={"P1.settings": "print(1)"})
    assert command.conclude(judged(TRUE, found=found), tmp_path / "audit.md") == 0
    text = (tmp_path / "audit.md").read_text()
    assert (
        "1 rows of 1 packages; 1 ran: 0 right, 1 with a fault, 0 with a documented deviation, 0 disputed, 0 left out."
        in text
    )
    assert (
        "| `SGD(momentum=0.9)` | Gradient descent with momentum (torch), momentum=0.9 | **fault** | It does nothing. |"
        in text
    )
    for line in (
        "- torch: `SGD(momentum=0.9)`. It does nothing.",
        "# Faults, with the smallest example",
        "## torch: `SGD(momentum=0.9)`",
        "- Held to: Polyak 1964",
        "- Found by: every setting (P1.settings)",
        "P1 failed: 1 is 2",
        "print(1)",
    ):
        assert line in text
    assert "1 true" in capsys.readouterr().out


def test_rows_that_share_a_fault_stand_together_and_show_the_example_that_has_a_program():
    second = replace(ROW, fixed={"foreach": True})
    found = [result(), result(texts={"P1.settings": "P1 failed: 3 is 4"}, scripts={"P1.settings": "print(2)"})]
    verdicts = judging.judge([(PACKAGE, ROW, found[0]), (PACKAGE, second, found[1])], [TRUE])
    text = document.document(verdicts, "2026-11-29", "1.0")
    assert "## torch: `SGD(momentum=0.9)`, `SGD(momentum=0.9, foreach=True)`\n" in text
    assert "3 is 4" in text and "print(2)" in text and "1 is 2" not in text


def test_what_is_inherited_unchanged_is_no_accusation():
    assert judged(found=result("ignored")).cases[0].verdict == "right"


def test_what_is_withheld_is_told_and_its_example_is_not_printed():
    verdicts = judged(replace(TRUE, verdict="withheld", sentence="The claim may be wrong."))
    text = document.document(verdicts, "2026-11-29", "1.0")
    assert "| left out | The claim may be wrong. |" in text and "1 is 2" not in text


def test_a_row_that_was_not_run_does_not_stand_in_the_document():
    verdicts = judging.judge([(PACKAGE, ROW, None)], [])
    assert verdicts.cases[0].verdict == "not run"
    assert "SGD" not in document.document(verdicts, "2026-11-29", "1.0")


def test_a_judgement_without_an_accusation_is_told(capsys, tmp_path):
    assert command.conclude(judged(TRUE, found=result("passed")), tmp_path / "audit.md") == 0
    assert "no accusation any more: torch SGD P1" in capsys.readouterr().out


def test_a_row_that_cannot_be_run_says_why(tmp_path):
    found = replace(result(), report={}, reason="cannot be installed: torch<2")
    verdicts = judged(found=found)
    assert verdicts.cases[0].verdict == "cannot be run"
    assert "| cannot be run | cannot be installed: torch<2 |" in document.document(verdicts, "2026-11-29", "1.0")


def test_a_result_is_kept_as_long_as_the_row_the_kit_and_the_options_are_the_same(tmp_path, monkeypatch):
    options = {"examples": 4, "seed": 0}
    key = results.key_of(ROW, options)
    assert key == results.key_of(ROW, dict(options))
    assert key != results.key_of(replace(ROW, mode="train"), options)
    assert key != results.key_of(ROW, {**options, "seed": 1})
    monkeypatch.setattr(results, "kit", lambda: "another")
    assert key != results.key_of(ROW, options)
    path = results.path_of(tmp_path, PACKAGE, ROW)
    assert results.read(path) is None
    results.write(path, result())
    assert results.read(path) == result()
    path.write_text("{")
    assert results.read(path) is None


def test_a_row_with_a_function_is_the_same_in_every_process():
    row = replace(ROW, names={"betas": rows._complement})
    assert "0x" not in results.described(row) and "_complement" in results.described(row)


ENDS_OF_FORKS = """
import os, signal, time
from tinygrad_lr.verify.audit import running
from tinygrad_lr.verify.audit.results import Result
found = Result("torch", "SGD", "key", "2.13.0")
assert running.in_a_fork(lambda: found, 60) == found
assert running.in_a_fork(lambda: time.sleep(60), 0.2) == "no answer within 0 s"
assert running.in_a_fork(lambda: os.kill(os.getpid(), signal.SIGKILL), 60) == "the process was ended by SIGKILL"
assert running.in_a_fork(lambda: os._exit(3), 60) == "the process ended with status 3"
"""


def test_a_fork_answers_or_says_how_it_ended():
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    # in a process of its own: other tests may have started JAX here, whose threads do not survive a fork
    done = subprocess.run([sys.executable, "-c", ENDS_OF_FORKS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_kit_needs_is_read_from_its_own_settings():
    found = environments.requirements_of_the_kit()
    assert any(each.startswith("numpy") for each in found) and any(each.startswith("hypothesis") for each in found)


def test_a_package_whose_requirements_contradict_the_kits_is_installed_without_them(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(environments, "_run", lambda command, seconds: commands.append(command))
    for unasked in (False, True):
        package = rows.Package("thing", "torch", (), ("torch==2",), unasked=unasked)
        environments.Environment(tmp_path, package)._install(1.0)
    asked, needed, alone = (command for command in commands if "install" in command)
    assert "thing" in asked and "torch==2" in asked and "--no-deps" not in asked
    assert "thing" not in needed and "torch==2" in needed
    assert alone[-2:] == ["--no-deps", "thing"]


def test_an_unknown_package_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--package", "nothing", "--no-run"])
    assert ended.value.code == 2 and "no package nothing" in capsys.readouterr().err
