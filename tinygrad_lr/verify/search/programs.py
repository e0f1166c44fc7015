"""A failure as a program in the checked optimizer's own API, which needs nothing of this package.

The program makes the calls that the check made, of the optimizers that the comparison speaks of. It prints what was
expected and what came, and exits with 1 where they differ. What is expected is computed by the formula in plain Python
where that is possible; else it is a number, with the formula beside it. Each program was run before it is shown.
Next: languages.py, which writes the calls.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.version import __version__

from ..language.notation import names_in
from ..language.python import line_as_python, name_in_python
from ..protocol import Broken, Case, Maker, Property, PropertyViolation
from ..report import plain, title_of
from ..report.differences import ends_of
from ..specification import Specification
from .languages import LANGUAGES, Language, Unwritable
from .readings import Reading, readings
from .recording import Event, Recorder, entries_of
from .sources import source_of

OF_THE_FORMULA = ("P1", "P18")  # whose expectation is the formula's, not another run's
LONGEST = 400  # calls of a program


class Program(NamedTuple):
    """A program, or why there is none."""

    text: str = ""
    why_not: str = ""


class Subject(NamedTuple):
    """What is checked, as a program writes it: how it is imported, under which name, and what stands for it here."""

    imports: list[str]
    name: str
    thing: Any
    title: str
    seed: int
    settings: Mapping[str, Any]
    """Hyperparameters that every one is built with."""


def subject_of(original: Any, make: Maker, seed: int, settings: Mapping[str, Any]) -> Subject:
    """How a program names what is checked: as its module has it, else as its file has it; "" where neither has.

    Example:
        >>> import fractions
        >>> subject_of(fractions.Fraction, fractions.Fraction, 0, {}).imports
        ['from fractions import Fraction']
    """
    title = str(getattr(make, "title", "") or getattr(original, "__qualname__", "") or type(original).__name__)
    module, _, name = str(getattr(make, "target", "")).partition(":")
    if name:
        thing = getattr(sys.modules.get(module), name, None)
        return Subject([f"from {module} import {name}"], name, thing, title, seed, settings)
    module, name = str(getattr(original, "__module__", "")), str(getattr(original, "__qualname__", ""))
    if name.isidentifier() and name != "<lambda>":
        if module != "__main__" and getattr(sys.modules.get(module), name, None) is original:
            return Subject([f"from {module} import {name}"], name, original, title, seed, settings)
        source = source_of(original)
        if source is not None:
            file = source[0]
            return Subject(
                ["import runpy", f"{name} = runpy.run_path({str(Path(file).resolve())!r})[{name!r}]"],
                name,
                original,
                title,
                seed,
                settings,
            )
    return Subject([], "", original, title, seed, settings)


def program_of(check: Property, make: Maker, case: Case, subject: Subject) -> Program:
    """The program that shows how a property fails on a case."""
    recorder = Recorder(make)
    broken: Broken | None = None
    try:
        check(recorder, case)
    except PropertyViolation as violation:
        broken = violation.broken
    except Exception as caught:
        raised = caught
        return _written(lambda: _Writer(check, case, recorder, subject).of_an_error(raised), subject, recorder)
    if broken is None:
        return Program(why_not="asked once more, it gave another result")
    found = broken
    return _written(lambda: _Writer(check, case, recorder, subject).of_a_difference(found), subject, recorder)


def _written(write: Callable[[], str], subject: Subject, recorder: Recorder) -> Program:
    """What is written, if it shows the difference when it is run here."""
    if not subject.name:
        return Program(why_not="it cannot be imported by name: it is made in a function, or in no file")
    try:
        text = write()
    except Unwritable as reason:
        return Program(why_not=str(reason))
    except Exception as error:  # the failure stands, with a program or without
        return Program(why_not=f"it could not be written ({type(error).__name__}: {error})")
    language = LANGUAGES[getattr(recorder.make, "language", "numpy")]
    status = run_here(text, subject, language)
    return Program(text) if status == 1 else Program(why_not=f"the calls alone do not show it ({status})")


def run_here(text: str, subject: Subject, language: type[Language]) -> Any:
    """The exit status of a program, run in this process with what it would import; an error as text."""
    body = "\n".join("" if line in subject.imports else line for line in text.splitlines())
    names = {"__name__": "program", subject.name: subject.thing}
    with contextlib.redirect_stdout(io.StringIO()), language.restored(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with np.errstate(all="ignore"):
                exec(compile(body, "<program>", "exec"), names)
        except SystemExit as leaving:
            return int(leaving.code or 0)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return 0


def _number(value: float) -> str:
    return repr(value) if np.isfinite(value) else f'float("{value}")'


class _Writer:
    """Writes one program."""

    def __init__(self, check: Property, case: Case, recorder: Recorder, subject: Subject) -> None:
        self.check, self.case, self.recorder, self.subject = check, case, recorder, subject
        make = recorder.make
        kind = LANGUAGES.get(getattr(make, "language", "numpy"))
        if kind is None:
            raise Unwritable(f"programs are not written for {getattr(make, 'language', '')}")
        dtypes = {str(p.dtype) for p in case.params}
        self.language = kind(subject.name, make, "float64" in dtypes, subject.settings)
        self.claim = case.spec if isinstance(case.spec, Specification) else None
        self.read: set[int] = set()
        self.actual: Reading | None = None

    def of_a_difference(self, broken: Broken) -> str:
        """The program where two values differ."""
        events = self.recorder.events
        text, expected_text = plain(broken.actual), plain(broken.expected)
        if expected_text.startswith("another result"):
            return self._of_equal_runs(broken)
        if broken.what.startswith("hyperparameters after"):
            return self._of_settings()
        actual = next(self._readings(broken.what, text), None)
        if actual is None:
            raise Unwritable(f"what is compared ({broken.what}) is made of several numbers, or is no number")
        self.actual, expected = actual, None
        if ends_of(expected_text) is not None and not self._of_the_formula(expected_text):
            others = [each for each in self._readings(broken.what, expected_text) if self._other(actual, each)]
            expected = min(others[:20], key=lambda each: len(self._needed([actual, each])), default=None)
        kept = self._needed([actual, *([expected] if expected else [])])
        lines = self._calls(kept, {each for each in (actual, expected) if each})
        lines += [""]
        if expected is not None:
            lines += self._end("expected", "actual", comment=self._why(broken))
        else:
            lines += self._literal(broken, expected_text, actual, events)
        return self._whole(lines, broken.what)

    def _readings(self, where: str, text: str) -> Iterator[Reading]:
        """All places where a number stands, first those of optimizers whose settings the property has changed."""
        found = list(readings(self.recorder, where, text))
        given = self.case.spec.hyperparameters
        changed = {e.subject for e in self.recorder.events if e.kind == "make" and {**given, **e.settings} != given}
        kinds = ("saved", "param", "state") if "saved" in where else ("param", "state", "saved")
        rank = {kind: number for number, kind in enumerate(kinds)}
        yield from sorted(found, key=lambda each: (rank.get(each.kind, 3), each.subject not in changed))

    def _of_the_formula(self, expected: str) -> bool:
        return expected.startswith("between") or self.check.id.partition(".")[0] in OF_THE_FORMULA

    def _other(self, actual: Reading, each: Reading) -> bool:
        """Whether a reading may be what the actual one is compared with."""
        if each == actual or each.kind == "moved":
            return False
        if actual.kind == each.kind and actual.kind in ("param", "state"):
            return each.subject != actual.subject or (each.event < actual.event and each.place == actual.place)
        return each.kind == actual.kind and each.event <= actual.event

    def of_an_error(self, error: Exception) -> str:
        """The program where a call raises; it ends by the exception."""
        last = next((i for i, e in reversed(list(enumerate(self.recorder.events))) if e.raised), None)
        if last is None:
            raise Unwritable("no call of the optimizer raised it")
        subject = self.recorder.events[last].subject
        kept = [i for i in self._needed_subjects({subject}) if i <= last]
        calls = self._calls(kept, set())
        said = type(error).__name__
        lines = ["try:", *(f"    {line}" if line else "" for line in calls)]
        lines += [f"except Exception as error:  # {said}", '    print("raised", repr(error))', "    sys.exit(1)"]
        return self._whole(lines, f"it raises {said}")

    def _of_equal_runs(self, broken: Broken) -> str:
        """Two runs that must not end alike: with other hyperparameters, or with other gradients."""
        recorder = self.recorder
        ends = {}
        for number, event in enumerate(recorder.events):
            if event.after and event.kind == "step":
                ends[event.subject] = number
        for b in sorted(ends, reverse=True):
            for a in sorted(ends, reverse=True):
                one, two = recorder.events[ends[a]], recorder.events[ends[b]]
                alike = a < b and all(map(np.array_equal, one.after, two.after))
                if alike and self._asked(a) != self._asked(b):
                    readings_ = [Reading("param", s, 0, 0, ends[s]) for s in (a, b)]
                    lines = self._calls(self._needed(readings_), set(readings_), names=("first", "second"))
                    lines += ["", f"# {broken.what}: expected {plain(broken.expected)}"]
                    lines += ['print("first ", first)', 'print("second", second)', "sys.exit(first == second)"]
                    return self._whole(lines, broken.what)
        raise Unwritable("the runs that end alike are not found again")

    def _asked(self, subject: int) -> str:
        return repr(
            [
                (e.kind, e.settings, [None if g is None else g.tolist() for g in e.grads])
                for e in self.recorder.of(subject)
            ]
        )

    def _of_settings(self) -> str:
        kept = self._needed_subjects({self.recorder.events[-1].subject})
        first = next(i for i in kept if self.recorder.events[i].kind == "make")
        lines = self._calls(kept, set(), extra={first: "before", kept[-1]: "after"})
        lines += ["", 'print("before", before)', 'print("after ", after)', "sys.exit(before != after)"]
        return self._whole(lines, "hyperparameters after the steps")

    def _needed(self, found: list[Reading]) -> list[int]:
        """The calls that lead to these readings."""
        chosen = {each.subject for each in found}
        last = {subject: max(each.event for each in found if each.subject == subject) for subject in chosen}
        shared = [each for each in found if each.kind == "saved"]
        self.read = {int(each.name.partition(":")[0]) for each in shared}
        for each in shared:  # whoever loaded the saved state may have changed it
            handle = self.recorder.events[int(each.name.partition(":")[0])].state
            for event in self.recorder.events:
                if event.kind == "set_state" and event.state is handle:
                    chosen.add(event.subject)
        events, kept = self.recorder.events, self._needed_subjects(chosen)
        for number in (self.origin(events[i]) for i in kept if events[i].kind == "set_state"):
            if number is not None and events[number].subject in last:  # saved later than it is read
                last[events[number].subject] = max(last[events[number].subject], number)
        return [i for i in kept if i <= last.get(events[i].subject, len(events))]

    def _needed_subjects(self, chosen: set[int]) -> list[int]:
        events = self.recorder.events
        while True:
            more = set()
            for event in events:
                if event.subject in chosen and event.kind == "set_state":
                    more |= {events[i].subject for i in [self.origin(event)] if i is not None}
            if more <= chosen:
                break
            chosen |= more
        kept = [i for i, event in enumerate(events) if event.subject in chosen]
        loaded = {self.origin(events[i]) for i in kept if events[i].kind == "set_state"}
        return [i for i in kept if events[i].kind != "get_state" or i in loaded or self._is_read(i)]

    def _is_read(self, number: int) -> bool:
        return number in self.read

    def origin(self, event: Event) -> int | None:
        """The get_state() call whose state a set_state() call loads."""
        shape = [(i, name, values.shape) for i, name, values in entries_of(event.then)]
        found = None
        for number, each in enumerate(self.recorder.events):
            if each is event:
                break
            if each.kind == "get_state":
                if each.state is event.state:
                    return number
                if [(i, name, values.shape) for i, name, values in entries_of(each.then)] == shape:
                    found = number
        return found

    def _calls(
        self,
        kept: list[int],
        found: set[Reading],
        names: tuple[str, str] = ("expected", "actual"),
        extra: dict[int, str] | None = None,
    ) -> list[str]:
        """The calls, and the readings in between."""
        if len(kept) > LONGEST:
            raise Unwritable(f"it takes {len(kept)} calls")
        language, events = self.language, self.recorder.events
        subjects = list(dict.fromkeys(events[i].subject for i in kept))
        called = {
            s: "optimizer" if len(subjects) == 1 else f"optimizer_{'abcdefghijklmnopq'[n]}"
            for n, s in enumerate(subjects)
        }
        handed = [id(g) for i in kept for g in events[i].handed if g is not None]
        loads = {i: self._load(events[i], i) for i in kept}
        copied = {load[0] for load in loads.values() if load} - {
            load[0] for load in loads.values() if load and not load[1]
        }
        language.begin(called, {each for each in handed if handed.count(each) > 1}, copied - self.read)
        lines: list[str] = []
        ordered = sorted(found, key=lambda each: each.event)
        name_of = (
            dict(zip(ordered, names[-len(ordered) :] if len(ordered) == 1 else names, strict=False)) if ordered else {}
        )
        if len(ordered) == 2 and names == ("expected", "actual"):
            name_of = {each: ("actual" if each == self._actual(found) else "expected") for each in ordered}
        for place, number in enumerate(kept):
            event = events[number]
            lines += language.call(event, number, loads[number])
            for each, name in name_of.items():
                if each.since == number:
                    lines.append(f"before = {language.read(each._replace(kind='param'))}")
                last_of = number == each.event or (each.event not in kept and place == len(kept) - 1)
                if last_of:
                    value = language.read(each)
                    lines.append(f"{name} = {value}")
            if extra and number in extra:
                lines.append(f"{extra[number]} = {language.settings(event.subject)}")
        return language.shortened(lines)

    def _actual(self, found: set[Reading]) -> Reading:
        return self.actual or max(found, key=lambda each: each.event)

    def _load(self, event: Event, number: int) -> tuple[int, bool, list[tuple[Any, str, Any]]] | None:
        """What a set_state() call loads: the get_state() call, whether it is a copy, and entries that are changed."""
        if event.kind != "set_state":
            return None
        origin = self.origin(event)
        if origin is None:
            raise Unwritable("it loads a state that was not saved in the run")
        is_copy = event.state is not self.recorder.events[origin].state
        before = {(i, name): values for i, name, values in entries_of(self.recorder.events[origin].then)}
        changed = [
            (i, name, values.ravel()[0].item())
            for i, name, values in entries_of(event.then)
            if not np.array_equal(values, before[i, name], equal_nan=values.dtype.kind == "f")
            and (is_copy or values.dtype.kind == "i")  # arrays that are shared change with their owner
        ]
        return origin, is_copy, changed

    def _why(self, broken: Broken) -> str:
        return f"# {broken.what}: both must be equal"

    def _end(self, expected: str, actual: str, comment: str) -> list[str]:
        return [
            comment,
            f'print("expected", {expected})',
            f'print("actual  ", {actual})',
            f"sys.exit({expected} != {actual})",
        ]

    def _literal(self, broken: Broken, text: str, actual: Reading, events: list[Event]) -> list[str]:
        """The end of a program whose expectation is a number."""
        ends = ends_of(text)
        if ends is None:
            raise Unwritable(f"what is expected is no number: {text}")
        low, high = ends
        formula = self._formula(actual, low, high, float(plain(broken.actual)))
        if formula:
            return formula
        lines = [f"# {line}" for line in (self.claim.lines() if self.claim and self._of_the_formula(text) else [])]
        lines += [f"# {self.check.statement}"] if not lines else []
        if low == high:
            return [*lines, f"expected = {low!r}", *self._end("expected", "actual", f"# {broken.what}")]
        return [
            *lines,
            f"# all that rounding allows of {broken.what}:",
            f"low, high = {_number(low)}, {_number(high)}",
            'print("expected", low, "to", high)',
            'print("actual  ", actual)',
            "sys.exit(not low <= actual <= high)",
        ]

    def _formula(self, actual: Reading, low: float, high: float, found: float) -> list[str]:
        """The expectation in plain Python, for one parameter of one element from a fresh state; else nothing."""
        events = self.recorder.of(actual.subject)
        claim = self.claim and self.claim.having(
            **{name: value for name, value in events[0].settings.items() if name in self.claim.all_names}
        )
        plain_run = all(event.kind in ("make", "step", "get_state") for event in events)
        first = events[0]
        if claim is None or not plain_run or len(first.params) != 1 or first.params[0].size != 1:
            return []
        if not self._of_the_formula(f"between {low} and {high}") or self.case.changes or actual.kind == "moved":
            return []
        steps = [e for e in events if e.kind == "step"][: self._steps_until(actual)]
        gradients = [float(e.grads[0].ravel()[0]) for e in steps if e.grads[0] is not None]
        key = "theta" if actual.kind == "param" else self._symbol(actual)
        if not gradients or key is None:
            return []
        try:
            body = [line_as_python(line) for line in claim.lines()]
        except ValueError:
            return []
        used = {name for line in claim.lines() for name in names_in(line)}
        theta = float(first.params[0].ravel()[0])
        settings = {name: value for name, value in claim.symbols().items() if name in used}
        start = {
            claim.family.symbols[k]: float(np.ravel(v)[0]) for k, v in claim.initial_state(np.asarray([theta])).items()
        }
        start = {**claim.family.memory, **{k: v for k, v in start.items() if k in used}}
        near = self._evaluated(claim, theta, gradients, key)
        middle = min(max(near, low), high)
        dtype = first.params[0].dtype
        rounding = 4 * len(steps) * float(np.finfo(dtype).eps) * max(abs(near), abs(theta))
        slack = max(high - low, 4 * abs(near - middle), rounding)
        if not abs(found - near) > 2 * slack:
            return []
        values = ", ".join(name_in_python(name) for name in settings)
        lines = [f"# the formula of {claim.title}, for one number:", *(f"# {line}" for line in wrap(claim.source, 100))]
        if settings:
            lines.append(f"{values} = {', '.join(repr(v) for v in settings.values())}")
        if start:
            groups: dict[str, list[str]] = {}
            for name, value in start.items():
                groups.setdefault(repr(value), []).append(name_in_python(name))
            lines += [f"{' = '.join(group)} = {value}" for value, group in groups.items()]
        lines += [f"theta = {theta!r}", f"for t, g in enumerate({gradients!r}, start=1):"]
        lines += [f"    {line}" for line in body]
        lines += [f"expected = {name_in_python(key)}", ""]
        return [
            *lines,
            'print("expected", expected)',
            'print("actual  ", actual)',
            f"sys.exit(not abs(actual - expected) <= {slack:.1e})  # what rounding may change",
        ]

    def _steps_until(self, actual: Reading) -> int:
        events = self.recorder.events
        return sum(e.kind == "step" and e.subject == actual.subject for e in events[: actual.event + 1])

    def _symbol(self, actual: Reading) -> str | None:
        """The symbol of a state in the formula's lines."""
        assert self.claim is not None
        theirs = getattr(self.recorder.make, "state_names", None) or {}
        names = {str(other): key for key, other in theirs.items()}
        name = actual.name.rpartition(":")[2]
        key = names.get(name, name)
        return self.claim.family.symbols.get(key)

    def _evaluated(self, claim: Specification, theta: float, gradients: list[float], key: str) -> float:
        try:
            return float(np.ravel(claim.worked_steps(theta, gradients)[-1][key])[0])
        except Exception:  # a formula that numbers alone do not follow
            return float("nan")

    def _whole(self, lines: list[str], where: str) -> str:
        title = title_of(self.check.id, self.check.statement).wrong
        head = [
            f'"""{title}',
            "",
            f"{self.subject.title}: {self.check.id}, {where}.",
            f"Found by tinygrad_lr {__version__}, seed {self.subject.seed}. The exit status is 1 where it is so.",
            '"""',
            "",
        ]
        body = "\n".join(lines)
        needs = [
            line for line in ("import copy", "import math") if f"{line.split()[1]}." in body + self.language.helper()
        ]
        imports = sorted([*needs, "import sys"])
        own = self.language.imports()
        return "\n".join(
            [*head, *imports, "", *own, *self.subject.imports, "", *self.language.helper().splitlines(), *lines, ""]
        )
