"""docs/race_diabetes.md: every optimizer at its best rate, within 5 % of the best one."""

import math
from pathlib import Path

import pytest

from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.race import race

DOCUMENT = Path(__file__).parents[2] / "docs/race_diabetes.md"
# The optimizer (or optimizer:dialect), schedule, best rate, loss, ... of each row.
ROWS = [
    [cell.strip() for cell in line.strip("| ").split("|")]
    for line in DOCUMENT.read_text("utf-8").splitlines()
    if line.startswith("| ") and "optimizer" not in line
]
BEST = min(float(row[3]) for row in ROWS)
NOT_IN_500_STEPS = {"ftrl"}  # the document says why


def test_there_is_a_row_for_every_optimizer_and_each_is_good():
    assert {row[0] for row in ROWS} == {*OPTIMIZERS, "ftrl:keras"}
    assert {row[0] for row in ROWS if float(row[3]) > 1.05 * BEST} == NOT_IN_500_STEPS
    assert all(float(row[5]) == pytest.approx(float(row[3]) / BEST, abs=0.001) for row in ROWS)


@pytest.mark.sampled(one_in=19)
@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_what_a_race_finds(row):
    """500 steps go through some thousand roundings, which may differ between machines, and hardly move the loss."""
    name, schedule, *numbers = row
    rate, loss, missed = (float(numbers[k]) for k in (0, 1, 4))
    rates = [rate / math.sqrt(10), rate, rate * math.sqrt(10)]
    (found,) = race(hidden=(32, 16), optimizers=[name], schedules=[schedule], rates=rates).table()
    assert found.loss == pytest.approx(loss, rel=0.01)
    assert found.loss < 1.05 * BEST or name in NOT_IN_500_STEPS
    assert [found.lowest, found.highest] == pytest.approx([float(each) for each in numbers[2].split(" to ")], rel=0.02)
    alike = missed == pytest.approx(loss)  # at all rates
    assert alike or (found.best_rate == rate and found.missed == pytest.approx(missed, rel=0.1))


def test_the_benchmarks_have_a_row_for_every_optimizer():
    text = (DOCUMENT.parent / "performance.md").read_text("utf-8")
    table = text.split("### Every optimizer")[1].split("**Below")[0]
    names = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")}
    assert names == {"optimizer", *(cls.__name__ for cls in OPTIMIZERS.values())}
