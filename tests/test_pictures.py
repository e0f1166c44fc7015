"""The pictures of the documents are there, are small, say which command draws them, and show what the tables have.

They are not drawn again: other versions of matplotlib draw other pixels.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import optim
from tinygrad_lr.race import paths, problem, rate_grid
from tinygrad_lr.race.racing import RATES
from tinygrad_lr.race.running import Run, run
from tinygrad_lr.verify.documents import pictures, shapes

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = {"optimizers": paths.COMMAND, "schedules": shapes.COMMAND}
drawing = pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="matplotlib is not installed here")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_says_its_command_as_its_document_does(name):
    command, _ = pictures.said_by(DOCS / f"{name}.png")
    assert command == PICTURES[name] and command.endswith(f"docs/{name}.png")
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert f"]({name}.png)" in text and f"`{command}`" in text
    assert (DOCS / f"{name}.png").stat().st_size < 150_000


def test_the_picture_of_schedules_has_those_of_the_table():
    _, shown = pictures.said_by(DOCS / "schedules.png")
    expected = shapes.drawn()
    assert list(shown) == list(expected), shapes.COMMAND
    for name, factors in expected.items():
        np.testing.assert_allclose(shown[name], factors, rtol=1e-5, atol=1e-9, err_msg=f"{name}: {shapes.COMMAND}")


def test_the_picture_of_optimizers_has_those_of_the_table_at_rates_of_the_grid():
    _, shown = pictures.said_by(DOCS / "optimizers.png")
    assert list(shown) == paths.raced(), paths.COMMAND
    assert {each["rate"] for each in shown.values()} <= set(rate_grid(*RATES))
    assert {name for name, row in optim.OPTIMIZERS.rows.items() if row.needs} == set(optim.OPTIMIZERS) - set(shown)


def test_the_paths_are_those_of_the_optimizers():
    """In an early step, to five digits: later, roundings of the machine's powers and roots grow."""
    _, shown = pictures.said_by(DOCS / "optimizers.png")
    for name, each in shown.items():
        np.testing.assert_allclose(early(name, each["rate"]), each["early"], rtol=2e-4, err_msg=paths.COMMAND)


def early(name, rate):
    """Where an optimizer is in an early step of a whole run."""
    return run(Run(problem(paths.PROBLEM), name, None, "constant", rate, 0, paths.STEPS)).path[paths.EARLY]


def test_a_rate_beside_the_one_that_is_said_has_another_path():
    _, shown = pictures.said_by(DOCS / "optimizers.png")
    assert not np.allclose(early("adam", 1.01 * shown["adam"]["rate"]), shown["adam"]["early"], rtol=2e-4)


@drawing
def test_the_figure_of_schedules_has_a_panel_for_each():
    titles = [panel.get_title(loc="left") for panel in shapes.figure().axes if panel.axison]
    assert titles == [name.partition(", ")[0] for name in shapes.drawn()]


@drawing
def test_the_figure_of_optimizers_has_each_at_its_best_rate(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "raced", lambda: ["sgd", "adam", "cocob"])
    monkeypatch.setattr(paths, "STEPS", 30)
    runs = paths.best_runs()
    figure = paths.figure(runs)
    rates = {name: f"{each.run.rate:.2g}" for name, each in runs.items()}
    titles = [panel.get_title(loc="left").replace("\n", " ") for panel in figure.axes if panel.axison]
    families = [optim.OPTIMIZERS.rows[name].family for name in runs]
    assert titles == [*(f"{name}, {rate}" for name, rate in rates.items()), *families]
    pictures.write(figure, tmp_path / "a.png", "draw it", paths.drawn(runs))
    assert pictures.said_by(tmp_path / "a.png") == ("draw it", paths.drawn(runs))
    for name, each in runs.items():
        others = [run(Run(each.run.problem, name, None, "constant", rate, 0, 30)).loss for rate in rate_grid(*RATES)]
        assert each.loss == min(others)


@drawing
def test_the_same_drawing_gives_the_same_bytes(tmp_path):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for name in ("a", "b"):
        figure = Figure(figsize=(2, 1))
        FigureCanvasAgg(figure)
        figure.subplots().plot([1, 3, 2])
        pictures.write(figure, tmp_path / name, "draw it", {"drawn": [1, 3, 2]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_without_matplotlib_drawing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"drawing needs matplotlib: pip install 'tinygrad_lr\[plot\]'"):
        paths.figure({})
    with pytest.raises(ModuleNotFoundError, match=r"drawing needs matplotlib: pip install 'tinygrad_lr\[plot\]'"):
        shapes.figure()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png is no PNG file"):
        pictures.said_by(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"curves\.png does not say what drew it; draw it again by its command"):
        pictures.said_by(DOCS / "curves.png")
