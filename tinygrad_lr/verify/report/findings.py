"""The outcome of one property: a `Finding`, which prints as a lesson. Next: text.py, reports.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from .differences import WORDS, difference, expectation, in_words
from .titles import Title, title_of

OUTCOMES = (
    "passed",
    "failed",
    "differs",
    "ignored",
    "expected failure",
    "unexpectedly passed",
    "not applicable",
    "error",
    "not run",
)
GOOD = ("passed", "differs", "ignored", "expected failure", "not applicable")


@dataclass(frozen=True)
class Finding:
    """The outcome of one property.

    Attributes:
        property_id, statement: which property, and what it says in one sentence.
        outcome: one of OUTCOMES. "error": the checked code raised, or does not keep to the protocol. "differs": it is
            not so, and it is unknown whether it should be (without a formula). "ignored": a failure that `ignore=` left
            out. Neither makes a report fail.
        reason: why it is not applicable, was expected to fail, or what was raised; of one that passed, what was not
            examined.
        example: the smallest example found: plain numbers and lists, ready to be run again.
        where, expected, actual: what was compared.
        ratio: the error over the derived bound; infinite where bits differ or the property is exact.
        nearest_bug: a known bug that behaves like this on the example, with its source.
        raised: of an error, the exception's class, or "hangs".
        inherited: the class, such as "torch.optim.Optimizer", from which the behaviour is inherited unchanged.
        place: the kind of array that differs ("theta", "exp_avg"), with the steps at which ("first", "later").
        kind: of difference: "last bit", "size", "not finite" or "words".
        relative: the difference over the larger of both numbers, from 0 to 2.
        formula: the lines of the formula that it was held to, in the paper's notation.
        program, no_program: what `script()` gives, or why there is none.
    """

    property_id: str
    statement: str
    outcome: str
    reason: str = ""
    example: dict[str, Any] | None = None
    where: str = ""
    expected: str = ""
    actual: str = ""
    ratio: float | None = None
    nearest_bug: str | None = None
    raised: str = ""
    inherited: str = ""
    place: str = ""
    kind: str = ""
    relative: float | None = None
    formula: tuple[str, ...] = ()
    program: str = ""
    no_program: str = ""

    @property
    def title(self) -> Title:
        """The property's name, and what is wrong where it fails, in words."""
        return title_of(self.property_id, self.statement)

    @property
    def difference(self) -> str:
        """How far apart expected and actual are, in words; empty where they are no numbers."""
        if re.fullmatch(r"-?\d+", self.expected) and re.fullmatch(r"-?\d+", self.actual):  # counts
            return f"off by {abs(int(self.actual) - int(self.expected))}"
        found = difference(self.expected, self.actual)
        return in_words(self.kind or found.kind, found.relative if self.relative is None else self.relative, self.ratio)

    def script(self) -> str:
        """A program of some twenty lines in the checked thing's own API, which exits with 1 where this is so.

        Raises:
            ValueError: there is none; the message says why.
        """
        if not self.program:
            raise ValueError(f"there is no program for {self.property_id}: {self.no_program or 'it did not fail'}")
        return self.program

    def lines(self) -> list[str]:
        """What is to be said of a failure, without its title: what differs, by how much, where, and on what."""
        said: list[tuple[str, str]] = []
        if self.where:
            apart = f"   ({self.difference})" if self.difference else ""
            said.append(("expected", shortened(expectation(self.expected), 500)))
            said.append(("actual", f"{shortened(self.actual, 500)}{apart}"))
            said.append(("where", self.where))
        if self.reason:
            said.append(("note" if self.outcome in ("passed", "failed") else "because", self.reason))
        said += [("formula" if i == 0 else "", line) for i, line in enumerate(self.formula)]
        said += example_rows(self.example or {})
        if self.nearest_bug:
            said.append(("like", self.nearest_bug))
        if self.inherited:
            said.append(("inherited", f"unchanged from {self.inherited}: no code of its own does this"))
        return [f"      {label:<9} {line}" for label, text in said for line in text.splitlines() or [""]]

    def in_brief(self) -> list[str]:
        """The same in a line or two: the numbers and the example."""
        said = [self.reason] if self.reason else []
        if self.where:
            apart = f" ({self.difference})" if self.difference else ""
            expected = shortened(expectation(self.expected), 120)
            said = [f"{self.where}: expected {expected}, actual {shortened(self.actual, 120)}{apart}", *said]
        rows = example_rows(self.example or {})
        said.append(shortened("; ".join(f"{label} {text}" if label else text for label, text in rows), 300))
        return [f"      {line}" for text in said if text for line in wrap(text, 110, subsequent_indent="  ")]

    def __str__(self) -> str:
        return "\n".join([f"{self.property_id}  {self.outcome}: {self.statement}", *self.lines()])


def inherited_from(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The classes from which everything that failed is inherited; none where something of its own failed, or nothing.

    Example:
        >>> inherited_from([Finding("P8", "Shares.", "failed", inherited="torch.optim.Optimizer")])
        ('torch.optim.Optimizer',)
    """
    failures = [each for each in findings if each.outcome not in GOOD]
    if not all(each.inherited and each.outcome == "failed" for each in failures):
        return ()
    return tuple(dict.fromkeys(each.inherited for each in failures))


def plain(value: Any) -> str:
    """A value as text, NumPy's scalars as plain numbers."""
    return re.sub(r"np\.\w+\(([^()]*)\)", r"\1", str(value))


def settings_text(settings: Mapping[str, Any]) -> str:
    """Hyperparameters as they are written in a call.

    Example:
        >>> settings_text({"lr": 0.1, "betas": (0.9, 0.99)})
        'lr=0.1, betas=(0.9, 0.99)'
    """
    return ", ".join(f"{name}={plain(repr(value))}" for name, value in settings.items())


def example_rows(example: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An example as lines with a label each: the hyperparameters, the first parameters, the gradients of each step.

    Example:
        >>> example_rows({"hyperparameters": {"lr": 0.1}, "dtypes": ["float32"], "params": [[0.0]],
        ...     "gradients": [[[1.0]], [None]]})
        [('with', 'lr=0.1'), ('start', '[[0.0]], float32'), ('gradients', 'step 1 [[1.0]]; step 2 [None]')]
    """
    rows = []
    for key, value in example.items():
        if key == "hyperparameters":
            rows.append(("with", settings_text(value) or "no hyperparameters"))
        elif key == "compared_with":
            others = value if isinstance(value, list) else [value]
            rows.append(("and with", "; ".join(map(settings_text, others))))
        elif key == "params":
            dtypes = dict.fromkeys(example.get("dtypes", ()))
            rows.append(("start", ", ".join([arrays_text(value), *dtypes])))
        elif key == "gradients" and isinstance(value, list):
            steps = [f"step {t} {arrays_text(grads)}" for t, grads in enumerate(value, start=1)]
            more = [f"... {len(steps) - 12} more ...", *steps[-2:]] if len(steps) > 12 else []
            rows.append(("gradients", "; ".join([*steps[: 10 if more else 12], *more])))
        elif key != "dtypes":
            rows.append((key.replace("_", " "), str(value)))
    return [(label, shortened(text, 1000)) for label, text in rows]


def arrays_text(arrays: Any) -> str:
    """A list of arrays as text; many equal ones stand there once.

    Example:
        >>> arrays_text([[0.0], [1.0]]), arrays_text([[0.0]] * 30)
        ('[[0.0], [1.0]]', '30 times [0.0]')
    """
    many = isinstance(arrays, list) and len(arrays) > 20 and all(each == arrays[0] for each in arrays)
    return f"{len(arrays)} times {arrays[0]}" if many else str(arrays)


def shortened(text: str, width: int) -> str:
    """The text, cut to a width.

    Example:
        >>> shortened("abcdefgh", 6)
        'abc...'
    """
    return text if len(text) <= width else text[: width - 3] + "..."


def place_of(where: str) -> str:
    """The kind of place that a comparison speaks of: its words without numbers, and whether it is a first step.

    Example:
        >>> place_of("exp_avg after step 4 of parameter 0, element 2")
        'exp_avg after step # of parameter #, element # (later)'
    """
    step = re.search(r"step (\d+)", where)
    region = "" if step is None else " (first)" if int(step.group(1)) <= 1 else " (later)"
    return re.sub(r"\d+(?:\.\d+)?", "#", where) + region


def compared(expected: Any, actual: Any, dtype: Any) -> tuple[str, float | None]:
    """The kind of a difference, and its relative size (`Finding.kind`, `Finding.relative`).

    Example:
        >>> compared("a list", [1.0], "float32")
        ('words', None)
    """
    try:
        return tuple(difference(plain(expected), plain(actual), dtype))  # type: ignore[return-value]
    except (TypeError, ValueError, OverflowError):  # what is checked may show anything
        return WORDS, None
