"""`pytest` runs a sample of the deep searches and says so; `--deep` runs them whole; samples add up to the whole."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from searches import Searches, in_part

from tinygrad_lr.optim import OPTIMIZERS
from tinygrad_lr.verify.formulas import FAMILIES

ROOT = Path(__file__).parents[1]
TOY = """
import pytest

@pytest.mark.sampled(one_in=4, each=("row",))
@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("row", ["first", "second"])
def test_configurations(row, number):
    assert row in ("first", "second")

def test_a_list(searches):
    found = searches.sample("mutants", range(100), 10)
    assert searches.choose(7, 3) == (7 if len(found) == 100 else 3)

def test_an_ordinary_one():
    pass
"""


@pytest.mark.parametrize("one_in", [1, 3, 8])
def test_the_parts_of_a_sample_hold_every_item(one_in):
    items = [f"mutant {i}" for i in range(200)]
    parts = [in_part(part, items, one_in, str, lambda item: None) for part in range(one_in)]
    assert sorted(sum(parts, [])) == sorted(items)
    assert all(0.5 < len(part) * one_in / 200 < 1.5 for part in parts)
    assert in_part(one_in, items, one_in, str, lambda item: None) == parts[0]
    assert all(part == sorted(part, key=items.index) for part in parts)


def test_every_group_has_an_item():
    items = [(group, i) for group in range(30) for i in range(3)]
    for part in range(3):
        chosen = in_part(part, items, 1000, str, lambda item: item[0])
        assert [group for group, _ in chosen] == list(range(30))
        assert {i for _, i in chosen} == {0, 1, 2}


def test_a_deep_run_takes_all_and_the_report_counts():
    for deep, rest in ((True, ""), (False, " (sample 3; --deep runs all)")):
        searches = Searches(deep, part=3)
        ran = len(searches.sample("mutants", range(4000), 8))
        assert ran == 4000 if deep else 400 < ran < 600
        assert searches.choose(200, 20) == (200 if deep else 20)
        assert searches.report(12) == f"deep searches: mutants: {ran:,} of 4,000; 12 examples of a property{rest}"
    assert not Searches(True).time_is_up() and Searches(True, seconds=-1).time_is_up()


def run(folder, *arguments):
    """What pytest prints for the toy, with this suite's conftest.py and settings."""
    (folder / "test_toy.py").write_text(TOY)
    (folder / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, "--rootdir", ".", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-2:]


def test_the_last_lines_say_what_ran(tmp_path):
    said, passed = run(tmp_path, ".", "-n", "2", "--sample", "0")
    counts = re.fullmatch(
        r"deep searches: configurations: (\d+) of 40; mutants: (\d+) of 100; \d+ examples .*\(sample 0; --deep .*\)",
        said,
    )
    assert counts and 2 <= int(counts[1]) < 20 and int(counts[2]) < 20
    assert passed.startswith(f"{int(counts[1]) + 2} passed")
    said, passed = run(tmp_path, ".", "-n", "0", "--deep")
    assert said.startswith("deep searches: configurations: 40 of 40; mutants: 100 of 100; ") and "(" not in said
    assert passed.startswith("42 passed")


def test_what_is_named_runs_and_what_has_no_time_is_counted(tmp_path):
    named = [f"test_toy.py::test_configurations[first-{number}]" for number in range(6)]
    assert run(tmp_path, *named, "-n", "0")[-1].startswith("6 passed")
    said, passed = run(tmp_path, ".", "-n", "0", "--deep", "--deep-seconds", "0")
    assert "configurations: 0 of 40; tests within the time: 0 of 41;" in said and passed.startswith("1 passed")


RULES = """
import pytest
from tinygrad_lr.optim import OPTIMIZERS
from tinygrad_lr.verify.formulas import FAMILIES

@pytest.mark.parametrize("other", ["a", "b"])
@pytest.mark.parametrize("name", FAMILIES)
def test_one(name, other):
    print("seen", name, other)

@pytest.mark.parametrize("name", FAMILIES)
def test_another(name):
    pass

@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_of_classes(cls):
    print("seen", cls.__name__, "c")
"""


def test_one_in_twelve_of_the_rules_that_are_not_the_articles(tmp_path):
    article = {name for name, family in FAMILIES.items() if "article" in family.dialects}
    assert article == {name for name, cls in OPTIMIZERS.items() if "article" in cls.dialects} and len(article) == 5
    seen, classes = [], {cls.__name__ for cls in OPTIMIZERS.values()}
    others = 3 * (len(FAMILIES) - len(article)) + len(classes) - len(article)
    (tmp_path / "test_rules.py").write_text(RULES)
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    given = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "-s", "--rootdir", ".", "test_rules.py"]
    program = f"import pytest\nfor part in range(12):\n    pytest.main([*{given}, '--sample', str(part)])"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    *runs, after = done.stdout.split("deep searches: ")
    for said, counted in zip(runs, [*runs[1:], after], strict=True):
        counts = re.search(r"tests of single optimizers: (\d+) of (\d+);", counted)
        assert counts and int(counts[2]) == others and 0.02 < int(counts[1]) / int(counts[2]) < 0.2
        seen.append(set(re.findall(r"seen (\w+) (\w)", said)))
        assert {(name, other) for name in article for other in "ab"} <= seen[-1]
        assert {(OPTIMIZERS[name].__name__, "c") for name in article} <= seen[-1]
    every = {(name, other) for name in FAMILIES for other in "ab"} | {(name, "c") for name in classes}
    assert len(seen) == 12 and set.union(*seen) == every


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("tinygrad_lr/nn/layers.py", {"nn"}),
        ("tinygrad_lr/kernels/updates/adam.py", {"kernels", "optim", "compiled"}),
        ("tests/kernels/test_kernels.py", {"kernels", "optim", "compiled"}),
        ("tests/cases/kernel_loops.py", {"kernels"}),
        ("README.md", set()),
        ("tinygrad_lr/random.py", set()),
    ],
)
def test_the_rooms_of_what_was_touched(file, found):
    touched = runpy.run_path(str(ROOT / ".ci/touched.py"))
    assert set(touched["rooms"]([file, "CHANGELOG.md"])) == found
