"""How rows of tables are divided: every division keeps what it promises, for any rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.data.tables import split_rows
from tinygrad_lr.training.tables.splitting import VALIDATION, Respecting, divide, folds

SEEDS = st.integers(0, 1000)
FRACTIONS = st.floats(0.01, 0.99)
PURPOSES = st.sampled_from([2, VALIDATION])


def whole(rows, kept, away):
    """Two parts of these rows, both ascending, neither empty."""
    assert np.sort(np.concatenate([kept, away])).tolist() == rows.tolist()
    assert (np.diff(kept) > 0).all() and (np.diff(away) > 0).all() and len(kept) and len(away)


@given(st.integers(2, 60), FRACTIONS, SEEDS, PURPOSES)
def test_a_division_is_of_all_rows_and_as_large_as_asked(count, fraction, seed, purpose):
    rows = 3 * np.arange(count) + 5
    kept, away = divide(rows, fraction, seed, None, purpose)
    whole(rows, kept, away)
    assert len(away) == min(max(round(count * fraction), 1), count - 1)
    again = divide(rows, fraction, seed, None, purpose)
    assert again[1].tolist() == away.tolist()


def test_the_held_out_rows_are_those_of_split_rows():
    kept, away = divide(np.arange(442), 0.3, 0)
    expected = split_rows(442, 0.3, 0)
    assert kept.tolist() == expected[0].tolist() and away.tolist() == expected[1].tolist()
    other = divide(np.arange(442), 0.3, 0, None, VALIDATION)
    assert other[1].tolist() != away.tolist()


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), FRACTIONS, SEEDS, PURPOSES)
def test_classes_have_their_share_on_both_sides(classes, fraction, seed, purpose):
    classes = np.array(classes)
    rows = np.arange(len(classes))
    kept, away = divide(rows, fraction, seed, Respecting(classes=classes), purpose)
    whole(rows, kept, away)
    wanted = min(max(round(len(classes) * fraction), 1), len(classes) - 1)
    every_class_alone = len(set(classes.tolist())) == len(classes)
    for each in set(classes.tolist()):
        size, put_away = (classes == each).sum(), (classes[away] == each).sum()
        assert every_class_alone or put_away < size, "a class keeps a training row"
        room = sum((classes == other).sum() - 1 for other in set(classes.tolist()))
        if room > wanted + 5:
            assert put_away >= min(np.floor(size * wanted / len(classes)), size - 1)
    assert len(away) <= wanted


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), FRACTIONS, SEEDS, PURPOSES)
def test_no_group_is_on_both_sides(groups, fraction, seed, purpose):
    groups = np.array(groups)
    if len(set(groups.tolist())) < 2:
        with pytest.raises(ValueError, match="--split-by: all rows have one value"):
            divide(np.arange(len(groups)), fraction, seed, Respecting(groups=groups), purpose)
        return
    kept, away = divide(np.arange(len(groups)), fraction, seed, Respecting(groups=groups), purpose)
    whole(np.arange(len(groups)), kept, away)
    assert not set(groups[kept]) & set(groups[away])


TIMES = st.lists(st.integers(-3, 20).map(float), min_size=2, max_size=60)


@given(TIMES, FRACTIONS, SEEDS, PURPOSES)
def test_what_is_put_away_is_later(times, fraction, seed, purpose):
    times = np.array(times)
    if len(set(times.tolist())) < 2:
        with pytest.raises(ValueError, match="--time: all rows have one time"):
            divide(np.arange(len(times)), fraction, seed, Respecting(times=times), purpose)
        return
    kept, away = divide(np.arange(len(times)), fraction, seed, Respecting(times=times), purpose)
    whole(np.arange(len(times)), kept, away)
    assert times[kept].max() < times[away].min()


@given(st.integers(2, 60), st.integers(2, 6), SEEDS, st.booleans())
def test_folds_measure_every_row_once(count, number, seed, stratified):
    classes = np.arange(count) % 3 if stratified else None
    if count < number:
        with pytest.raises(ValueError, match=f"--folds {number} needs at least as many rows"):
            folds(np.arange(count), number, seed, Respecting(classes=classes))
        return
    parts = folds(np.arange(count), number, seed, Respecting(classes=classes))
    assert np.sort(np.concatenate([measured for _, measured in parts])).tolist() == list(range(count))
    for kept, measured in parts:
        whole(np.arange(count), kept, measured)
        assert abs(len(measured) - count / number) < 1
        if stratified:
            shares = np.bincount(classes[measured], minlength=3) - np.bincount(classes, minlength=3) / number
            assert np.abs(shares).max() < 2


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.integers(2, 5), SEEDS)
def test_folds_of_groups_keep_them_together(groups, number, seed):
    groups = np.array(groups)
    if len(set(groups.tolist())) < number:
        with pytest.raises(ValueError, match="different values of --split-by|at least as many rows"):
            folds(np.arange(len(groups)), number, seed, Respecting(groups=groups))
        return
    parts = folds(np.arange(len(groups)), number, seed, Respecting(groups=groups))
    assert sorted(np.concatenate([measured for _, measured in parts]).tolist()) == list(range(len(groups)))
    for kept, measured in parts:
        assert len(measured) and not set(groups[kept]) & set(groups[measured])


@given(TIMES, st.integers(2, 5))
def test_folds_in_time_never_look_into_the_future(times, number):
    times = np.array(times)
    if len(set(times.tolist())) <= number:
        with pytest.raises(ValueError, match="different times"):
            folds(np.arange(len(times)), number, 0, Respecting(times=times))
        return
    parts = folds(np.arange(len(times)), number, 0, Respecting(times=times))
    assert len(parts) == number
    measured_before = -np.inf
    for kept, measured in parts:
        assert len(kept) and len(measured) and times[kept].max() < times[measured].min()
        assert times[measured].min() > measured_before
        measured_before = times[measured].max()


def test_one_row_cannot_be_divided():
    with pytest.raises(ValueError, match="1 row cannot be divided"):
        divide(np.arange(1), 0.5, 0)
    kept, away = divide(np.arange(1), 0.0, 0)
    assert len(kept) == 1 and len(away) == 0
