"""Deep searches: `pytest --deep` runs them whole, `pytest` a sample of them; the last lines of its output say how much.

A search is a long list of cases: mutants, configurations, examples. The sample is every n-th case by a hash of its
text. It is the same on every machine, and the samples of n successive parts hold every case.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, TypeVar

from hypothesis import settings

Item = TypeVar("Item")


SAMPLED_EXAMPLES = 12  # that Hypothesis draws for a property where it draws 50 in a deep run


def examples(whole: int, sampled: int) -> int:
    """The `max_examples` of a costly property: `sampled` where few are drawn for every property."""
    return sampled if settings.default.max_examples <= SAMPLED_EXAMPLES else whole


class Searches:
    """What a run of pytest does of the deep searches: all of them, or which part, and for how long."""

    def __init__(self, deep: bool, part: int = 0, seconds: float = float("inf")) -> None:
        self.deep, self.part = deep, part
        self.end = time.monotonic() + seconds
        self.ran: Counter[str] = Counter()
        self.total: Counter[str] = Counter()

    def time_is_up(self) -> bool:
        return time.monotonic() > self.end

    def choose(self, whole: int, sampled: int) -> int:
        """How long a search is: `whole` in a deep run, `sampled` in any other."""
        return whole if self.deep else sampled

    def sample(
        self,
        what: str,
        items: Iterable[Item],
        one_in: int,
        key: Callable[[Item], str] = str,
        group: Callable[[Item], Any] = lambda item: None,
    ) -> list[Item]:
        """All items in a deep run; in any other one in `one_in`, and at least one of each group. The report counts
        them as `what`."""
        items = list(items)
        chosen = items if self.deep else in_part(self.part, items, one_in, key, group)
        self.count(what, len(chosen), len(items))
        return chosen

    def count(self, what: str, ran: int, total: int) -> None:
        self.ran[what] += ran
        self.total[what] += total

    def report(self, examples: int) -> str:
        """One line: how much of each search ran, the examples that Hypothesis draws, and how to run the rest."""
        counts = [f"{what}: {self.ran[what]:,} of {count:,}" for what, count in sorted(self.total.items()) if count]
        rest = "" if self.deep else f" (sample {self.part}; --deep runs all)"
        return f"deep searches: {'; '.join([*counts, f'{examples} examples of a property'])}{rest}"


def in_part(
    part: int, items: list[Item], one_in: int, key: Callable[[Item], str], group: Callable[[Item], Any]
) -> list[Item]:
    """The items whose hash falls into the part, in their order; of a group without one, the item at that place."""
    hashes = [int.from_bytes(sha256(key(item).encode()).digest()[:8], "big") for item in items]
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, item in enumerate(items):
        groups[group(item)].append(i)
    chosen = set()
    for members in groups.values():
        found = [i for i in members if hashes[i] % one_in == part % one_in]
        chosen |= set(found or [sorted(members, key=hashes.__getitem__)[part % len(members)]])
    return [item for i, item in enumerate(items) if i in chosen]
