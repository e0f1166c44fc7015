"""What can be had of a History: columns, rows, plain values, frames and pictures."""

import json

import numpy as np
import pytest

from tinygrad_lr.training import History


@pytest.fixture
def history():
    found = History(["base", "head"])
    for step in range(6):
        found.append(step // 3, (0.1 * (step + 1), 0.01), 1.0 / (step + 1), samples=4 - step % 3)
    found.set_held_out(0.5)
    return found


def test_columns_by_name_and_rows_by_number(history):
    assert list(history[0]) == history.column_names
    for name in history.column_names:
        assert np.array_equal(history[name], [row[name] for row in history], equal_nan=True)
        assert np.array_equal(history[name], [history[row][name] for row in range(6)], equal_nan=True)
    assert np.array_equal(history["lr_base"], history.lr[:, 0]) and np.array_equal(history["lr_head"], history.lr[:, 1])
    assert history["loss"].dtype == np.float64 and history["epoch"].dtype == np.int64
    assert history[-1] == history[5] == history[np.int64(5)] and history[-1]["held_out_loss"] == 0.5


def test_what_is_in_a_history(history):
    assert "loss" in history and "lr_head" in history and "val_loss" not in history
    assert history[5] in history and {} not in history


def test_slices_are_lists_of_rows(history):
    rows = [row["step"] for row in history]
    for which in (slice(None), slice(2, 5), slice(-2, None), slice(None, None, -2), slice(9, 12), slice(5, 2)):
        assert [row["step"] for row in history[which]] == rows[which]


def test_to_dict_is_plain(history):
    found = history.to_dict()
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found and list(found) == history.column_names
    assert found["held_out_loss"] == [None] * 5 + [0.5] and found["samples"] == [4, 3, 2, 4, 3, 2]
    assert History().to_dict() == {"step": [], "epoch": [], "samples": [], "lr": [], "loss": [], "held_out_loss": []}


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("measured", ["some", "none", "empty"])
def test_frames(history, backend, measured):
    pytest.importorskip("narwhals", reason="frames need Narwhals: pip install 'tinygrad_lr[tables]'")
    pytest.importorskip(backend, reason=f"a frame of {backend} needs it")
    import narwhals as nw

    if measured == "none":
        history._held_out.clear()
    frame = nw.from_native((History(["base", "head"]) if measured == "empty" else history).to_frame(backend))
    assert frame.columns == history.column_names and len(frame) == (0 if measured == "empty" else 6)
    kinds = {"step": nw.Int64, "epoch": nw.Int64, "samples": nw.Int64}
    assert all(frame.schema[name] == kinds.get(name, nw.Float64) for name in frame.columns)
    if measured == "some":
        for name in history.column_names[:-1]:
            assert frame[name].to_list() == history[name].tolist()
        missing = frame["held_out_loss"].is_null() if backend != "pandas" else frame["held_out_loss"].is_nan()
        assert missing.to_list()[:5] in ([True] * 5, [None] * 5) and frame["held_out_loss"].to_list()[-1] == 0.5


def test_the_picture_has_every_curve(history):
    matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'tinygrad_lr[plot]'")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = history.plot(loss_label="mean squared error")
    above, below = figure.axes
    assert above.get_ylabel() == "mean squared error" and below.get_ylabel() == "learning rate"
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in above.lines}
    assert np.array_equal(lines["training, each step"], history.loss)
    assert np.array_equal(lines["training, mean of the epoch"], history.epoch_means()[1])
    assert lines["held out, after the epoch"].tolist() == [0.5]
    assert [line.get_label() for line in below.lines] == ["base", "head"]
    assert history.plot(figure.axes) is figure and len(above.lines) == 6
    pyplot.close(figure)


def test_the_picture_has_no_mean_of_an_epoch_that_was_not_completed(history):
    matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'tinygrad_lr[plot]'")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    for completed, steps_in_epoch, count in [(1, 3, 5), (0, 10, 3)]:
        begun = History()
        for row in history[:count]:
            begun.append(row["epoch"], (0.1,), row["loss"], samples=row["samples"])
        begun.steps_in_epoch = steps_in_epoch
        figure = begun.plot()
        lines = {line.get_label(): line for line in figure.axes[0].lines}
        mean = lines.get("training, mean of the epoch")
        assert (0 if mean is None else len(mean.get_ydata())) == completed == begun.completed_epochs()
        assert lines["training, each step"].get_alpha() == (0.3 if completed else None)
        assert lines["training, each step"].get_xdata()[1] == 1 / steps_in_epoch
        pyplot.close(figure)


def test_what_is_not_installed_is_named(history, monkeypatch):
    for name, call, remedy in [
        ("narwhals", lambda: history.to_frame(), r"needs narwhals: pip install 'tinygrad_lr\[tables\]'"),
        ("polars", lambda: history.to_frame("polars"), "needs polars: pip install polars"),
        ("matplotlib", lambda: history.plot(), r"needs matplotlib: pip install 'tinygrad_lr\[plot\]'"),
    ]:
        if name == "polars":
            pytest.importorskip("narwhals", reason="frames need Narwhals")
        with monkeypatch.context() as here:
            here.setattr("importlib.util.find_spec", lambda asked, name=name: None if asked == name else object())
            with pytest.raises(ModuleNotFoundError, match=remedy):
                call()


MISTAKES = [
    ("a name", lambda h: h["los"], KeyError, "no column 'los'; it has step, epoch, samples, lr_base, lr_head, loss"),
    ("lr of two groups", lambda h: h["lr"], KeyError, "no column 'lr'; it has step"),
    ("an attribute", lambda h: h["groups"], KeyError, "no column 'groups'"),
    ("no name", lambda h: h[""], KeyError, "no column ''"),
    ("a row too far", lambda h: h[6], IndexError, "row 6 of a history with 6 rows"),
    ("a row too far back", lambda h: h[-7], IndexError, "row -7 of a history with 6 rows"),
    ("half a row", lambda h: h[1.5], TypeError, "the name of a column, got 1.5"),
    ("True", lambda h: h[True], TypeError, "the name of a column, got True"),
    ("None", lambda h: h[None], TypeError, "the name of a column, got None"),
    ("two names", lambda h: h["step", "loss"], TypeError, "the name of a column"),
    ("a list", lambda h: h[["loss"]], TypeError, "the name of a column"),
    ("half a slice", lambda h: h[0:1.5], TypeError, "slice indices must be integers"),
    (
        "backend",
        lambda h: h.to_frame("excel"),
        ValueError,
        "backend must be one of pandas, polars, pyarrow, got 'excel'",
    ),
    ("backend None", lambda h: h.to_frame(None), ValueError, "backend must be one of"),
    ("one axis", lambda h: h.plot([object()]), ValueError, "two axes of matplotlib"),
    ("no axes", lambda h: h.plot(["a", "b"]), ValueError, "two axes of matplotlib"),
    ("nothing to draw", lambda h: History().plot(), ValueError, "an empty history has no curves to draw"),
    ("the mean of nothing", lambda h: History().last_mean(), ValueError, "an empty history has no last epoch"),
]


@pytest.mark.parametrize("call, exception, message", [pytest.param(*each[1:], id=each[0]) for each in MISTAKES])
def test_mistakes(history, call, exception, message):
    if "axes" in message or "curves" in message:
        pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    with pytest.raises(exception, match=message):
        call(history)
