"""Schedules from texts, their errors with a caret under the place; tables, phases, and drawings."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_cases import arguments_of, example_of, factors, finite_schedules

from tinygrad_lr import schedules
from tinygrad_lr.schedules import (
    SCHEDULES,
    TextError,
    constant,
    cosine,
    cyclic,
    from_function,
    from_text,
    linear,
    multi_step,
    one_cycle,
    piecewise,
    polynomial,
    warmup,
    warmup_stable_decay,
)
from tinygrad_lr.schedules.drawing import as_lines, draw, phases_as_lines

TEXTS = {
    "warmup(5) then cosine(95)": warmup(5).then(cosine(95)),
    "warmup(5)then cosine( 95 )": warmup(5).then(cosine(95)),
    "0.5 * cosine(3)": cosine(3) * 0.5,
    "cosine(3) * 1e-1 * linear(4, end=.5)": cosine(3) * 0.1 * linear(4, end=0.5),
    "warmup(5) then cosine(95) * 0.5": warmup(5).then(cosine(95) * 0.5),
    "(warmup(5) then cosine(95)) * 0.5": warmup(5).then(cosine(95)) * 0.5,
    "warmup(5).then(cosine(95)) * 0.5": warmup(5).then(cosine(95)) * 0.5,
    "warmup(2) then cosine(4) then linear(3)": warmup(2).then(cosine(4)).then(linear(3)),
    "cosine(9_500).repeat(3).clip(min=0.01, max=1).shift(-2)": cosine(9500).repeat(3).clip(0.01, 1.0).shift(-2),
    "constant": constant(),
    "warmup(3) then constant": warmup(3).then(constant()),
    "constant(total_steps=4)": constant(total_steps=4),
    "constant(0.5, None)": constant(0.5),
    "piecewise([3, 6], [1, .1, .01])": piecewise([3, 6], [1.0, 0.1, 0.01]),
    "piecewise((3,), (1.0, 0.5))": piecewise([3], [1.0, 0.5]),
    "piecewise([], [0.5])": piecewise([], [0.5]),
    "wsd(1, 2, 3)": warmup_stable_decay(1, 2, 3),
    "wsd(1, 2, 3, decay=linear)": warmup_stable_decay(1, 2, 3, decay="linear"),
    "wsd(1, 2, 3, decay='1-sqrt')": warmup_stable_decay(1, 2, 3, decay="1-sqrt"),
    'warmup(4, first_step="1/W")': warmup(4, first_step="1/W"),
    "tanh(10, -6, 3)": schedules.tanh(10),
    "one_cycle(10, three_phase=True)": one_cycle(10, three_phase=True),
    "cosine(3).then((0.5 * cosine(4)))": cosine(3).then(cosine(4) * 0.5),
    "((cosine(3)))": cosine(3),
    "cosine(3) *\n\tcosine(4)": cosine(3) * cosine(4),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_the_schedule_that_it_says(text):
    assert from_text(text) == TEXTS[text]
    assert from_text(repr(TEXTS[text])) == TEXTS[text]


@pytest.mark.parametrize("row", SCHEDULES.values(), ids=SCHEDULES)
@given(data=st.data())
@settings(max_examples=5)
def test_every_schedule_is_read_as_it_is_written(row, data):
    schedule = row.build(**data.draw(arguments_of(row)))
    assert from_text(repr(schedule)) == schedule
    arguments = ", ".join(f"{name}={value!r}" for name, value in {**example_of(row), **row.fixed}.items())
    assert from_text(f"{row.constructor or row.name}({arguments})") == row.build(**example_of(row))


@given(finite_schedules(), finite_schedules(), factors, st.integers(1, 4), st.integers(-40, 40))
@settings(max_examples=30)
def test_the_algebra_is_read_as_it_is_written(one, other, factor, times, shift):
    built = (one.shift(shift).clip(min=factor).repeat(times) * factor).then(other) * (other * factor)
    assert from_text(repr(built)) == built


MISTAKES = [  # text, the message's first line, the place of the caret
    ("", "expected a schedule such as cosine(100), got the end of the text", 0),
    ("warmup(5) then", "expected a schedule after 'then', got the end of the text", 14),
    (
        "warmup(5) cosine(3)",
        "expected 'then', '*', a method such as .clip(...), or the end of the text, got 'cosine'",
        10,
    ),
    ("warmup(5) then cosin(3)", "no schedule is called 'cosin'; did you mean 'cosine'?", 15),
    ("os.system('ls')", "no schedule is called 'os'; there are constant, linear, .*", 0),
    ("from_function(print)", "no schedule is called 'from_function'; there are constant, .*", 0),
    ("cosine", "cosine needs total_steps; it has total_steps, end", 0),
    ("cosine(", "expected a value for total_steps, or ')', got the end of the text", 7),
    ("cosine(3", "expected ',' or ')' in the arguments of cosine, got the end of the text", 8),
    ("cosine(3 4)", "expected ',' or ')' in the arguments of cosine, got '4'", 9),
    ("cosine(3, end=)", "expected a value for end, got ')'", 14),
    ("cosine(total=3)", "cosine has no argument 'total'; did you mean 'total_steps'?", 7),
    ("cosine(3, stop=4)", "cosine has no argument 'stop'; it has total_steps, end", 10),
    ("cosine(1, 2, 3)", "cosine takes at most 2 arguments: it has total_steps, end", 13),
    ("cosine(3, total_steps=4)", "cosine has its argument 'total_steps' already", 10),
    ("cosine(total_steps=3, 0.1)", "expected a name=value pair, since those before it have names, got '0.1'", 22),
    ("cosine(3, end=-0.5)", "end must be at least 0 .*", 14),
    ("cosine(1.5)", "total_steps must be a whole number of at least 0, got 1.5", 7),
    ("wsd(1, 2, 3, decay=square)", "decay must be one of .*", 19),
    ("cosine(3).foo(2)", "expected one of the methods then, clip, repeat, shift after '.', got 'foo'", 10),
    ("cosine(3).clip", "expected '(' after .clip, got the end of the text", 14),
    ("cosine(3).clip()", ".clip needs min, max or both", 10),
    ("cosine(3).__class__()", "expected one of the methods .* got '__class__'", 10),
    ("0.5", "expected a schedule such as cosine(100), got a number; .*", 0),
    ("warmup(3) then 0.5", "expected a schedule after 'then', got a number; .*", 15),
    ("2 * 3", "one side of '*' must be a schedule, and both are numbers", 2),
    ("cosine(3) *", "expected a schedule or a number after '*', got the end of the text", 11),
    ("cosine(3) * -1", "the factor must be at least 0 .*", 10),
    ("(cosine(3)", "expected ')', 'then', '*' or a method, got the end of the text", 10),
    ("cosine(3))", "expected 'then', .* got ')'", 9),
    ("constant then cosine(3)", "an endless schedule cannot be followed by another one; .*", 9),
    ("cosine(5x)", "expected a number, got '5x'", 7),
    ("cosine('a)", ".* has no meaning in a schedule: the quotation mark is not closed", 7),
    ("cosine(3) @ 2", "'@' has no meaning in a schedule", 10),
    ("cosine(-)", "expected a number, got ')'", 8),
    ("piecewise([3, x], [1])", "expected a number, got 'x'", 14),
    ("piecewise([3 4], [1])", "expected ',' or ']' in a list of numbers, got '4'", 13),
    ("then", "expected a schedule such as cosine(100), got 'then'", 0),
]


@pytest.mark.parametrize(("text", "reason", "place"), MISTAKES)
def test_a_mistake_is_shown_where_it_is(text, reason, place):
    with pytest.raises(TextError) as caught:
        from_text(text)
    error = caught.value
    begins, some, ends = reason.partition(".*")
    assert error.reason == reason or (some and error.reason.startswith(begins) and error.reason.endswith(ends))
    assert error.place == place and str(error) == f"{error.reason}\n  {text}\n  {' ' * place}^"
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.place == place


def test_long_and_deep_texts_are_refused_and_end():
    assert from_text(" then ".join(["cosine(1)"] * 600)).total_steps == 600
    assert from_text("(" * 90 + "cosine(1)" + ")" * 90) == cosine(1)
    for text in ("(" * 5000, "cosine(1).then(" * 500, "cosine(1)" + " " * 10_000, "9" * 10_000, "cosine(1e999)"):
        with pytest.raises(TextError) as caught:
            from_text(text)
        assert len(str(caught.value)) < 1000
    with pytest.raises(TextError) as caught:
        from_text("cosine(3) \x1b[2J\n oops")
    assert "\x1b" not in str(caught.value) and str(caught.value).count("\n") == 2
    with pytest.raises(TypeError, match="takes a text"):
        from_text(cosine(3))


# Tables, phases, drawings.


def test_the_phase_of_a_step():
    schedule = warmup(5).then(cosine(95)) * 0.5
    assert schedule.phase(0) == (0, 5, warmup(5) * 0.5) and schedule.phase(4.5).start == 0
    assert schedule.phase(5) == schedule.phase(99) == schedule.phase(10**9) == (5, 100, cosine(95) * 0.5)
    assert warmup(3).then(constant()).phase(3) == (3, None, constant()) and cosine(3).phase(1).schedule == cosine(3)
    assert warmup(0).then(cosine(3)).phase(0).schedule == cosine(3)
    with pytest.raises(ValueError, match="at least 0"):
        schedule.phase(-1)
    with pytest.raises(TypeError, match="takes one step"):
        schedule.phase([1, 2])


@given(finite_schedules(), finite_schedules(), st.integers(2, 20))
@settings(max_examples=30)
def test_a_table_has_the_factors_of_the_schedule(one, other, rows):
    schedule = one.then(other)
    table = schedule.table(rows)
    assert len(table) <= rows and table[0].step == 0 and table[-1].step == schedule.total_steps
    for step, factor, phase in table:
        number, _, code = phase.partition(": ")
        assert factor == schedule(step) and type(step) is int
        assert code == repr(schedule.phase(step).schedule) == repr(schedule.phases()[int(number) - 1].schedule)
    assert str(table).count("\n") == len(table)


def test_what_a_table_shows():
    assert warmup(2).then(cosine(2)).table(5) == (
        (0, 0.0, "1: warmup(2)"), (1, 0.5, "1: warmup(2)"), (2, 1.0, "2: cosine(2)"), (3, cosine(2)(1), "2: cosine(2)"),
        (4, 0.0, "2: cosine(2)"),
    )  # fmt: skip
    assert [row.step for row in cosine(100).table(3, until=10)] == [0, 5, 10] and len(cosine(0).table()) == 1
    assert multi_step([30, 60]).table(2)[-1].step == 220 and constant().table(2)[-1].step == 100
    with pytest.raises(ValueError, match="n must be a whole number of at least 2, got 1"):
        cosine(3).table(1)
    assert str(cosine(4).table(2)).splitlines() == [
        "step  factor  phase",
        "   0  1       1: cosine(4)",
        "   4  0       1: cosine(4)",
    ]


def test_a_drawing_shows_every_jump_and_every_step():
    lines = as_lines(piecewise([500], [1.0, 0.1], 1000) * from_function(lambda step: float(step != 777)), 0.1, width=72)
    drawn = [line.partition("|")[2].ljust(72) for line in lines[:-2]]
    assert lines[0].startswith("   0.1 |*") and lines[-1].split() == ["0", "1000"] and len(drawn) == 12
    assert all(any(row[column] == "*" for row in drawn) for column in range(72))
    assert drawn[-1][777 * 71 // 1000] == "*"  # one step alone
    jump = 500 * 71 // 1000
    assert sum(row[jump] == "*" for row in drawn) >= 10
    assert as_lines(constant(0.5), width=16, height=5)[0] == "   0.5 |" + "*" * 16
    assert as_lines(constant(0.0), width=16, height=5)[4].startswith("     0 |****")
    assert as_lines(cosine(0))[-1].split() == ["0"] and as_lines(linear(10, 1.0, 0.9))[11].split() == ["0", "|"]
    assert len(as_lines(cosine(2**62), until=2**40)) == 14
    for wrong in ({"width": 3}, {"height": 1}, {"base_lr": -1.0}, {"until": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            as_lines(cosine(3), **wrong)


def test_phases_in_lines():
    assert phases_as_lines(warmup(5).then(cosine(95)), 0.1) == [
        "phase 1, steps 0 to 4: 0 -> 0.1, warmup(5)",
        "phase 2, steps 5 to 99: 0.1 -> 0, cosine(95)",
        "from step 100 on: 0",
    ]
    assert phases_as_lines(warmup(0).then(cyclic(0.5, 2, 2))) == [
        "phase 1, no steps: 1, warmup(0)",
        "phase 2, step 0 on: 0.5 at first, cyclic(0.5, 2, 2)",
    ]


def test_a_plot_has_the_rates_of_the_schedule():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed here (extra `plot`)")
    schedule = warmup(5).then(polynomial(95, 2.0))
    figure = schedule.plot(base_lr=0.1)
    (axes,) = figure.axes
    steps, drawn = axes.lines[0].get_data()
    assert (np.asarray(drawn) == schedule(np.asarray(steps)) * 0.1).all() and set(range(101)) == set(steps)
    assert [line.get_xdata()[0] for line in axes.lines[1:]] == [5] and axes.get_xlabel() == "step"
    again = schedule.plot(axes, until=10)
    assert again is figure and max(axes.lines[-1].get_xdata()) <= 10
    assert len(draw(cosine(2**62)).axes[0].lines[0].get_xdata()) == 4097


def test_a_plot_without_matplotlib_says_how_to_get_it(monkeypatch):
    from tinygrad_lr.schedules import drawing

    monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install 'tinygrad_lr\\[plot\\]'"):
        cosine(3).plot()


def test_a_rate_beyond_float64_is_named():
    high = constant(10.0, 5)
    for call in (lambda: as_lines(high, 1e308), lambda: high.plot(base_lr=1e308)):
        with pytest.raises(OverflowError, match="beyond the range of float64 with base_lr=1e.308; take a smaller one"):
            call()
    assert as_lines(high, 1e307)[0].startswith("1e+308 |")


def test_a_caret_stands_under_its_place_after_wide_and_combining_letters():
    for name, columns in (("\u65e5\u672c", 4), ("e\u0301", 1), ("ok", 2)):
        with pytest.raises(TextError) as caught:
            from_text(f"interpolated([5], [0, 1], '{name}') +")
        _, line, caret = str(caught.value).split("\n")
        assert line.endswith("+") and len(caret) == len("  interpolated([5], [0, 1], '') +") + columns
