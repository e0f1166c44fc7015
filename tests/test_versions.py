"""One place says each version: the package its own, setup.cfg those of Python and of the requirements."""

import configparser
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import tinygrad_lr

ROOT = Path(__file__).parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
PYTHONS = re.findall(r"Python :: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture
def noxfile(monkeypatch):
    """The names of noxfile.py, run with a stand-in for nox, which the tests do not need."""
    nox = SimpleNamespace(options=SimpleNamespace())
    nox.session = lambda function=None, python=None: function or (lambda f: f)
    monkeypatch.setitem(sys.modules, "nox", nox)
    return SimpleNamespace(**runpy.run_path(str(ROOT / "noxfile.py")), options=nox.options)


def test_the_packages_version_is_said_once():
    assert SETUP["metadata"]["version"] == "attr: tinygrad_lr.version.__version__"
    assert f"## {tinygrad_lr.__version__}" in text("CHANGELOG.md")
    assert not re.search(r"^(version|date-released):", text("CITATION.cff"), re.MULTILINE)


def test_pythons():
    assert sorted(PYTHONS, key=lambda version: int(version[2:])) == PYTHONS and len(PYTHONS) > 1
    lowest = PYTHONS[0]
    assert SETUP["options"]["python_requires"] == f">={lowest}"
    pyproject = text("pyproject.toml")
    assert f'target-version = "py{lowest.replace(".", "")}"' in pyproject
    assert f'python_version = "{lowest}"' in pyproject


def test_nox_tries_the_lowest_and_the_highest(noxfile):
    assert noxfile.PYTHONS == PYTHONS
    assert noxfile.options.sessions == [f"lowest-{PYTHONS[0]}", f"newest-{PYTHONS[-1]}"]
    promised = [line for line in SETUP["options"]["install_requires"].splitlines() if line]
    pinned = noxfile.lowest_versions()
    assert promised and [line.replace(">=", "==") for line in promised] == pinned[: len(promised)]
    assert {line.split()[0] for line in pinned} >= {"numpy", "numba", "tqdm", "matplotlib", "hypothesis", "pytest"}


def test_the_workflow_tries_every_python():
    workflow = text(".github/workflows/tests.yml")
    assert "bash .ci/run" in workflow
    matrix = re.findall(r'{session: (\w+), python: "([\d.]+)"}', workflow)
    assert matrix == [("lowest", PYTHONS[0]), *(("newest", python) for python in PYTHONS)]
