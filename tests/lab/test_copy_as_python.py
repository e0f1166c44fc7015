""" "Copy as Python": the programs run, and make the page's paths bit for bit."""

import re

import numpy as np
import pytest
from laboratory import places, section

from tinygrad_lr import backend, optim
from tinygrad_lr.optim.table import OPTIMIZERS

WARMED = [{"name": "warmup", "args": {"steps": 10}}, {"name": "cosine", "args": {"total_steps": 60, "end": 0.1}}]
RESTARTS = [
    {"name": "warmup", "args": {"steps": 10}, "around": {"shift": -3, "times": 0.3}},
    {"name": "cosine", "args": {"total_steps": 20}, "around": {"repeat": 3, "shift": 4, "times": 2, "max": 1.5}},
]
ALGEBRA = {"phases": RESTARTS, "around": {"repeat": 2, "shift": 5, "times": 0.1, "min": 0.015, "max": 1}}
STABLE = [{"name": "warmup_stable_decay, linear", "args": {"warmup_steps": 5, "stable_steps": 30, "decay_steps": 45}}]


def program(page, name):
    """What the button of a section copies."""
    part = section(page, name)
    part.get_by_role("button", name="Copy as Python").click()
    part.get_by_text("Copied.").wait_for()
    part.locator("pre").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == part.locator("pre").text_content()
    return copied


def paths_of(code, runs_on="numpy"):
    """The paths that a program makes, by default on the backend that compiles nothing; both have the same bits."""
    names = {}
    with backend.using(runs_on), np.errstate(over="ignore"):  # where a path diverges
        exec(compile(code, "copied.py", "exec"), names)
    return names["paths"]


def assert_same(paths, page_paths):
    assert list(paths) == list(page_paths)
    for name, found in paths.items():
        assert found.dtype == np.float32
        assert found.tobytes() == np.array(page_paths[name], np.float32).tobytes(), name


def racer(name, dialect=None, **values):
    return {"name": name, "dialect": dialect or next(iter(optim.OPTIMIZERS[name].dialects)), "values": values}


ADAMS = [racer("adam", "torch", lr=0.1, betas=[0.8, 0.99]), racer("adam", amsgrad=True)]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"batch": 32, "seed": 3, "phases": WARMED},
        {"batch": 1, "steps": 500, "start": [0.1, -0.25]},
        {"surface": "quadratic", "args": {"condition": 250}, "racers": [racer("sgd", lr=0.007, momentum=0.9)]},
        {"surface": "rosenbrock", "steps": 300, "phases": STABLE, "racers": ADAMS},
        {"surface": "rosenbrock", "racers": [racer("sgd", lr=0.01)]},  # which diverges
        {"surface": "saddle", "racers": [racer("lion", lr=0.01), racer("rprop")], **ALGEBRA},
        {"surface": "cliff", "racers": [racer("adagrad", lr=0.5), racer("muon", lr=0.05)]},
        {"racers": []},
    ],
    ids=lambda state: state.get("surface", "table"),
)  # fmt: skip
def test_the_program_makes_the_pages_paths(opened, state):
    page = opened(state)
    assert_same(paths_of(program(page, "surface"), "numpy" if state else "numba"), places(page)["racers"])


def test_what_is_refused_is_left_out_of_the_program_and_said(opened):
    page = opened({"racers": [racer("sgd", momentum=-1), racer("adam", lr=0.1)], "looked": 0, "steps": 9})
    code = program(page, "surface")
    assert "# Left out, as it is refused: SGD: momentum must be" in code
    found = places(page)["racers"]
    assert found.pop("SGD") == []
    assert_same(paths_of(code), found)
    code = program(page, "groups")
    assert code.count("# Left out, as it is refused: ") == 2 and paths_of(code) == {}


def test_phases_that_make_no_schedule_are_said_in_the_program(opened):
    page = opened({"phases": [{"name": "constant", "args": {}}, *WARMED], "steps": 9})
    code = program(page, "surface")
    assert re.search(
        r"^# The phases of the page make no schedule, and its paths have none: phase 1, constant: an endless \S.*\n"
        r"schedule = None$",
        code,
        re.M,
    )
    assert_same(paths_of(code), places(page)["racers"])


@pytest.mark.parametrize("batch", [0, 16])
def test_the_program_of_groups_makes_the_pages_paths(opened, batch):
    page = opened({"phases": WARMED, "batch": batch, "rates": [0.3, 0.002]})
    assert_same(paths_of(program(page, "groups")), places(page)["groups"])


def test_every_optimizer_that_needs_only_gradients_makes_the_same_path(opened):
    names = [name for name, row in OPTIMIZERS.rows.items() if not row.needs]
    state = {"surface": "quadratic", "args": {"condition": 1}, "steps": 40, "phases": WARMED}
    for start in range(0, len(names), 12):
        racers = [racer(name) for name in names[start : start + 12]]
        page = opened({**state, "racers": racers})
        found = places(page)["racers"]
        assert len(found) == len(racers) and all(len(path) == 41 for path in found.values())
        assert_same(paths_of(program(page, "surface")), found)


def test_a_program_with_another_rate_makes_another_path(opened):
    page = opened()
    code = program(page, "surface")
    other = code.replace("lr=0.1", "lr=0.11", 1)
    with pytest.raises(AssertionError):
        assert_same(paths_of(other), places(page)["racers"])
