"""Each example runs as a newcomer would run it, and its result is checked."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import cuda
from tinygrad_lr.data import datasets
from tinygrad_lr.training.tables import baselines, metrics

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name, capsys):
    """What main() of an example returns, and what it prints."""
    result = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]()
    return result, capsys.readouterr().out.splitlines()


def test_every_example_is_tested():
    tested = {"article", "numpy_arrays", "one_file", "parameter_groups", "three_descents"}  # one_file: test_one_file.py
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_says_how_to_run_it(path):
    assert f"python examples/{path.name}" in path.read_text("utf-8")


def test_the_articles_flow(capsys, monkeypatch):
    monkeypatch.setattr(cuda, "is_available", lambda: False)  # the same numbers everywhere
    seen, out = example("article", capsys)
    rates = [0.0018, 0.0038, 0.0058, 0.0078, 0.0098, 0.0082, 0.0062, 0.0042, 0.0022, 0.0002]
    assert np.allclose([rate for _, rate, _ in seen], rates, rtol=1e-12)
    assert out[0] == f"Epoch 1, Learning Rate: 0.001800, Loss Value: {seen[0][2]}"
    assert len(out) == 10 and all(0 < loss < 10 for _, _, loss in seen)


def test_parameter_groups(capsys):
    (history, left), out = example("parameter_groups", capsys)
    assert history.lr.max(axis=0).tolist() == [1e-2, 1e-3]
    assert np.allclose(history.lr[:, 0], 10 * history.lr[:, 1])
    assert left["vision"] < 0.2 < left["text"] < 1, "the half with the larger rate comes closer"
    assert out[0].startswith("vision highest learning rate 0.01:")


def test_three_descents(capsys):
    results, out = example("three_descents", capsys)
    assert [steps for _, _, steps in results.values()] == [20, 20 * 14, 20 * 442]
    inputs, target = datasets.diabetes(np.float64)
    best = 1 - metrics.r_squared(target, baselines.least_squares(inputs, target, inputs))
    for before, after, _ in results.values():
        assert best <= after < 0.52 < before, "between the least-squares loss and where it began"
    assert len(out) == 4


def test_numpy_arrays(capsys):
    results, out = example("numpy_arrays", capsys)
    start = 100 * (2 - 1.5**2) ** 2 + 2.5**2
    for point, value in results.values():
        assert point.dtype == np.float64 and value < 1e-3 * start
    assert np.allclose(results["adam"][0], 1, atol=1e-6)
    assert len(out) == len(results) == 4
