"""A failure as a program in the checked optimizer's own API, which needs nothing of this package.

The program makes the calls that the check made, of the optimizers that the comparison speaks of. It prints what was
expected and what came, and exits with 1 where they differ. What is expected is computed by the formula in plain Python
where twenty lines hold it; else it is a number, and the formula stands in the comment above. Of several ways to write
it the shortest is taken that shows the difference when it is run. Next: languages.py, which writes the calls.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.version import __version__

from ..language.notation import names_in
from ..language.python import line_as_python, name_in_python
from ..protocol import Broken, Case, Maker, Property, PropertyViolation
from ..report import plain, title_of
from ..report.differences import ends_of, simplest
from ..report.differences import number as number_of
from ..specification import Specification
from .languages import LANGUAGES, Change, Language, Load, Unwritable, lines_counted, written_name
from .readings import Reading, kinds_told, place_told, readings
from .recording import Event, Recorder
from .sources import source_of
from .states_shown import Shown, saved

OF_THE_FORMULA = ("P1", "P18")  # whose expectation is the formula's, not another run's
LONGEST = 400  # calls of a program
SUM = "sum |D g|"  # what P25 compares
MEDDLED = "set to 77"  # what P8 does with the arrays of a state that it has loaded
LINES = 20  # that a program should have at most, without blank ones and the comment at its begin
WIDTH = 110
END = "The exit status is 1 while it is so."


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
    target = str(getattr(make, "target", ""))
    module, _, name = target.partition(":")
    if name:
        thing = getattr(sys.modules.get(module), name, None)
        imports, name = written_name(target, LANGUAGES.get(getattr(make, "language", ""), Language))
        return Subject(imports, name, thing, title, seed, settings)
    module, name = str(getattr(original, "__module__", "")), str(getattr(original, "__qualname__", ""))
    if name.isidentifier() and name != "<lambda>":
        if module != "__main__" and getattr(sys.modules.get(module), name, None) is original:
            return Subject([f"from {module} import {name}"], name, original, title, seed, settings)
        source = source_of(original)
        if source is not None:
            loaded = f"{name} = runpy.run_path({str(Path(source[0]).resolve())!r})[{name!r}]"
            return Subject(["import runpy", loaded], name, original, title, seed, settings)
    return Subject([], "", original, title, seed, settings)


def program_of(check: Property, make: Maker, case: Case, subject: Subject) -> Program:
    """The program that shows how a property fails on a case, or why there is none; nothing is raised."""
    if not subject.name:
        return Program(why_not="it cannot be imported by name: it is made in a function, or in no file")
    recorder = Recorder(make)
    try:
        check.check_one(recorder, case)
    except PropertyViolation as violation:
        found: Broken | Exception = violation.broken
    except Exception as caught:
        found = caught
    else:
        return Program(why_not="asked once more, it gave another result")
    try:
        return _shortest(check, case, recorder, subject, found)
    except Exception as error:  # the failure stands, with a program or without
        return Program(why_not=f"it could not be written ({type(error).__name__}: {error})")


class Way(NamedTuple):
    """How a program is written."""

    computed: bool
    """Whether what is expected is computed."""
    helped: bool
    """Whether a step is a function."""
    merged: bool
    """Whether runs that begin alike are one run, in which the state is saved."""


class NotComputed(Unwritable):
    """What is expected is no formula that a few lines compute."""


def _shortest(check: Property, case: Case, recorder: Recorder, subject: Subject, found: Broken | Exception) -> Program:
    """The first of the programs, the shortest of them first, that shows what was found when it is run here."""
    texts: dict[str, Way] = {}
    why_not = ""
    for way in map(Way._make, product((True, False), repeat=3)):
        try:
            text = _Writer(check, case, recorder, subject, way).whole(found)
            compile(text, "<program>", "exec")
            texts.setdefault(text, way)
        except NotComputed:
            continue
        except Unwritable as reason:
            why_not = why_not or str(reason)
        except Exception as error:  # the failure stands, with a program or without
            why_not = why_not or f"it could not be written ({type(error).__name__}: {error})"
    language = LANGUAGES[getattr(recorder.make, "language", "numpy")] if texts else Language
    wanted = 1 if isinstance(found, Broken) else type(found).__name__

    def cost(text: str) -> tuple[bool, bool, int]:
        lines = lines_counted(text)
        return lines > LINES, not texts[text].computed, lines

    status: Any = None
    for text in sorted(texts, key=cost):
        status = run_here(text, subject, language)
        if status == wanted or not isinstance(found, Broken) and str(status).startswith(f"{wanted}:"):
            return Program(text)
    return Program(why_not=why_not or f"the calls alone do not show it ({status})")


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
    """Writes one program in one way."""

    def __init__(self, check: Property, case: Case, recorder: Recorder, subject: Subject, way: Way) -> None:
        self.check, self.case, self.recorder, self.subject, self.way = check, case, recorder, subject, way
        make = recorder.make
        kind = LANGUAGES.get(getattr(make, "language", "numpy"))
        if kind is None:
            raise Unwritable(f"programs are not written for {getattr(make, 'language', '')}")
        wide = "float64" in {str(p.dtype) for p in case.params}
        self.language = kind(subject.name, make, wide, subject.settings, subject.thing)
        self.claim = case.spec if isinstance(case.spec, Specification) else None
        self.read: set[int] = set()
        self.meddled: int | None = None
        """The optimizer whose loaded state is overwritten."""
        self.comment: list[str] = []
        """What is said above the program besides."""

    def whole(self, found: Broken | Exception) -> str:
        """The program."""
        if isinstance(found, Broken):
            lines = self._of_a_difference(found)
            return self._assembled(lines, found.what)
        return self._assembled(self._of_an_error(found), f"it raises {type(found).__name__}")

    def _of_a_difference(self, broken: Broken) -> list[str]:
        """The program where two values differ."""
        text, expected_text = plain(broken.actual), plain(broken.expected)
        if expected_text.startswith("another result"):
            return self._of_equal_runs(broken)
        if broken.what.startswith("hyperparameter "):
            return self._of_settings(broken)
        if broken.what.startswith(SUM):
            return self._of_a_sum(broken)
        actual = next(self._readings(broken.what, text), None)
        if actual is None:
            raise Unwritable(f"what is compared ({broken.what}) is made of several numbers, or is no number")
        self.meddled = actual.subject if MEDDLED in broken.what else None
        if actual.kind == "state":
            actual = self._of_its_name(actual, broken.what, text)
        expected = None
        if ends_of(expected_text) is not None and not self._of_the_formula(expected_text):
            others = [each for each in self._readings(broken.what, expected_text) if self._other(actual, each)]
            expected = min(others[:20], key=lambda each: len(self._needed([actual, each])), default=None)
        if expected is not None:
            kept = self._needed([actual, expected])
            lines = self._calls(kept, {"expected": expected, "actual": actual})
            return [*lines, *self._end(*self._unequal(broken))]
        return self._literal(broken, expected_text, actual)

    def _of_its_name(self, actual: Reading, where: str, text: str) -> Reading:
        """The reading of the state that a comparison names.

        Raises:
            Unwritable: several states have this number, and none the name.
        """
        found = [each for each in self._readings(where, text) if each.kind == "state" and each.event == actual.event]
        key = where.split()[0]
        theirs = (getattr(self.recorder.make, "state_names", None) or {}).get(key) or key
        named = [each for each in found if theirs in re.split(r"\W+", each.name)]
        if not named and len({re.sub(r"\d+", "#", each.name) for each in found}) > 1:
            raise Unwritable(f"several states have this number, and none is called {theirs}")
        return named[0] if named else actual

    def _unequal(self, broken: Broken) -> tuple[str, str]:
        """How two numbers differ that must be equal, or be equal within a bound; and why, in a comment."""
        ends, found = ends_of(plain(broken.expected)), number_of(plain(broken.actual))
        if ends is None or found is None or not (1 < broken.ratio < math.inf and math.isfinite(found)):
            return "expected != actual", ""
        slack = abs(found - ends[0]) / broken.ratio
        return f"not abs(actual - expected) <= {float(f'{slack * 1.01:.1e}')!r}", "what rounding may change"

    def _end(self, wrong: str, why: str = "") -> list[str]:
        """The last lines: both numbers, and the exit status."""
        shown = 'print("expected", expected, " actual", actual)'
        return [shown, f"raise SystemExit({wrong})" + (f"  # {why}" if why else "")]

    def _readings(self, where: str, text: str) -> Iterator[Reading]:
        """All places where a number stands, first those of optimizers whose settings the property has changed."""
        found = self.recorder.found.get((where, text))
        if found is None:  # once for all ways of writing
            found = self.recorder.found[where, text] = list(readings(self.recorder, where, text))
        given = self.case.spec.hyperparameters
        changed = {e.subject for e in self.recorder.events if e.kind == "make" and {**given, **e.settings} != given}
        kinds = kinds_told(where, self._state_keys())
        rank = {kind: number for number, kind in enumerate(kinds)}
        told = place_told(where) if kinds[0] in ("param", "gradient") else None
        elsewhere = {each: told is not None and (each.place, each.element) != told for each in found}
        yield from sorted(
            (each for each in found if each.kind in rank),
            key=lambda each: (rank[each.kind], elsewhere[each], each.subject not in changed),
        )

    def _state_keys(self) -> tuple[str, ...]:
        """The formula's names of its states."""
        return tuple(self.claim.state_keys(self.case.params[0])) if self.claim and self.case.params else ()

    def _of_the_formula(self, expected: str) -> bool:
        return expected.startswith("between") or self.check.id.partition(".")[0] in OF_THE_FORMULA

    def _other(self, actual: Reading, each: Reading) -> bool:
        """Whether a reading may be what the actual one is compared with."""
        if each == actual or each.kind == "moved":
            return False
        if actual.kind == each.kind and actual.kind in ("param", "state"):
            return each.subject != actual.subject or (each.event < actual.event and each.place == actual.place)
        return each.kind == actual.kind and each.event <= actual.event

    def _of_an_error(self, error: Exception) -> list[str]:
        """The program where a call raises; it ends by the exception."""
        last = next((i for i, e in reversed(list(enumerate(self.recorder.events))) if e.raised), None)
        if last is None:
            raise Unwritable("no call of the optimizer raised it")
        subject = self.recorder.events[last].subject
        kept = [i for i in self._needed_subjects({subject}) if i <= last]
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"[:100]
        lines = self._calls(kept, {})
        return [*lines[:-1], f"{lines[-1]}  # raises {said}"]

    def _of_equal_runs(self, broken: Broken) -> list[str]:
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
                    first, second = (Reading("param", s, 0, 0, ends[s]) for s in (a, b))
                    self.comment.append(f"expected: {plain(broken.expected)}")
                    lines = self._alike(a, b) or self._calls(
                        self._needed([first, second]), {"first": first, "second": second}
                    )
                    return [*lines, 'print("first", first, " second", second)', "raise SystemExit(first == second)"]
        raise Unwritable("the runs that end alike are not found again")

    def _asked(self, subject: int) -> str:
        return repr(
            [
                (e.kind, e.settings, [None if g is None else g.tolist() for g in e.grads])
                for e in self.recorder.of(subject)
            ]
        )

    def _alike(self, a: int, b: int) -> list[str]:
        """Two runs of the same calls that are built with other arguments, as a function; [] where they are not so."""
        one, two = ([each for each in self.recorder.of(s) if each.kind != "get_state"] for s in (a, b))
        told = [
            [
                (e.kind, e.settings if e.kind != "make" else {}, [None if g is None else g.tolist() for g in e.grads])
                for e in events
            ]
            for events in (one, two)
        ]
        if repr(told[0]) != repr(told[1]) or {e.kind for e in one} - {"make", "step", "change"} or not self.way.merged:
            return []
        passed = [self.language.arguments(events[0].settings) for events in (one, two)]
        differing = [
            name for name in {**passed[0], **passed[1]} if repr(passed[0].get(name)) != repr(passed[1].get(name))
        ]
        if not all(name in each for name in differing for each in passed):
            return []
        body = self._calls([i for i, e in enumerate(self.recorder.events) if e.subject == a], {}, without=differing)
        place = next(i for i, line in enumerate(body) if f"{self.language.name}(" in line)
        head, _, rest = body[place].rpartition(")")
        opened = head.endswith("(")
        body[place] = f"{head}{'' if opened else ', '}**settings){rest}"
        end = self.language.read(Reading("param", a, 0, 0, len(self.recorder.events)))
        calls = [f"run({', '.join(f'{name}={each[name]!r}' for name in differing)})" for each in passed]
        return [
            "def run(**settings):",
            *(f"    {line}" for line in [*body, f"return {end}"]),
            "",
            f"first, second = {', '.join(calls)}",
        ]

    def _of_settings(self, broken: Broken) -> list[str]:
        """A hyperparameter that the steps have changed."""
        words = broken.what.split()  # "hyperparameter lr of group 0 after the steps"
        name, group = words[1], int(words[4])
        events = self.recorder.events
        theirs = name
        kept = [
            i for i in self._needed_subjects({events[-1].subject}) if events[i].kind in ("make", "step", "add_group")
        ]
        lines = self._calls(kept, {})
        value = self.language.setting(events[-1].subject, group, theirs)
        return [*lines, f"expected, actual = {plain(repr(broken.expected))}, {value}", *self._end("expected != actual")]

    def _of_a_sum(self, broken: Broken) -> list[str]:
        """The distances that one parameter is moved, each times its gradient, added up."""
        events = [each for each in self.recorder.of(len(self.recorder.subjects) - 1) if each.grads or each.params]
        first, steps = events[0], events[1:]
        if len(first.params) != 1 or first.params[0].size != 1:
            raise Unwritable("the steps of an array are not added up here")
        lines = self._calls([self.recorder.events.index(first)], {})
        value = self.language.read(Reading("param", first.subject, 0, 0, 0))
        lines += ["actual = 0.0"]
        for event in steps:
            size = abs(float(np.ravel(event.grads[0])[0]))  # type: ignore[arg-type]
            lines += [f"before = {value}", *self.language.steps([event])]
            lines += [f"actual += abs({value} - before) * {size!r}"]
        limit = (ends_of(plain(broken.expected)) or (0.0, math.inf))[1]
        self.comment += wrap(self.check.statement, WIDTH)
        return [
            *lines,
            f"limit = {limit!r}",
            'print("expected at most", limit, " actual", actual)',
            "raise SystemExit(actual > limit)",
        ]

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
        shape = self._shape_of(event)
        found: list[tuple[int, int]] = []  # how many entries differ, and which call
        for number, each in enumerate(self.recorder.events):
            if each is event:
                break
            if each.kind == "get_state":
                if each.state is event.state:
                    return number
                if self._shape_of(each) == shape:
                    found.append((self._differing(event, each), number))
        return min(found)[1] if found else None

    def _differing(self, event: Event, origin: Event) -> int:
        """How many entries of two states of one shape are unequal."""
        one, two = (saved(self.recorder, each.subject, each.then) for each in (event, origin))
        return sum(not np.array_equal(a.values, b.values) for a, b in zip(one, two, strict=True))

    def _shape_of(self, event: Event) -> list[Any]:
        return [(each.place, each.way, each.values.shape) for each in saved(self.recorder, event.subject, event.then)]

    def _plan(self, kept: list[int]) -> list[tuple[int, Event]]:
        """The calls in their order; a run that another begins with, only to be saved, is saved in the other."""
        events = self.recorder.events
        plan = [(i, events[i]) for i in kept]
        if not self.way.merged:
            return plan
        for subject in {event.subject for _, event in plan}:
            own = [(i, e) for i, e in plan if e.subject == subject]
            number, last = own[-1]
            if last.kind != "get_state" or any(e.kind == "get_state" for _, e in own[:-1]) or subject in self.shown:
                continue
            if number in self.read or not self._is_copied(number, plan):
                continue
            for other in {event.subject for _, event in plan} - {subject}:
                theirs = [(i, e) for i, e in plan if e.subject == other]
                begun = theirs[: len(own) - 1]
                if len(begun) == len(own) - 1 and all(map(_same_call, own[:-1], begun)):
                    at = plan.index(begun[-1]) + 1
                    moved = (number, replace(last, subject=other))
                    plan = [each for each in [*plan[:at], moved, *plan[at:]] if each not in own]
                    break
        loads = [at for at, (_, e) in enumerate(plan) if e.kind == "set_state"]
        return plan if all(self._saved_before(plan, at) for at in loads) else [(i, events[i]) for i in kept]

    def _saved_before(self, plan: list[tuple[int, Event]], at: int) -> bool:
        return self.origin(plan[at][1]) in [number for number, _ in plan[:at]]

    def _is_copied(self, number: int, plan: list[tuple[int, Event]]) -> bool:
        """Whether what a get_state() call gives is only loaded as a copy, or is a copy itself."""
        if getattr(self.recorder.make, "language", "") in ("optax", "keras"):
            return True
        return all(e.state is not self.recorder.events[number].state for _, e in plan if e.kind == "set_state")

    def _calls(self, kept: list[int], found: dict[str, Reading], without: Sequence[str] = ()) -> list[str]:
        """The calls, and the readings: those that can wait, in one line at the end.

        Args:
            kept: the numbers of the calls.
            found: what is read, by the names that it gets.
            without: arguments of the library that are not passed.
        """
        if len(kept) > LONGEST:
            raise Unwritable(f"it takes {len(kept)} calls")
        language = self.language
        self.shown = {each.subject for each in found.values()}
        plan = self._plan(kept)
        loads = {number: self._load(event) for number, event in plan}
        direct = {load.origin for load in loads.values() if load and not load.is_copy}
        copied = {load.origin for load in loads.values() if load} - direct - self.read
        subjects = list(dict.fromkeys(event.subject for _, event in plan))
        names = ["optimizer"] if len(subjects) == 1 else list("abcdefghijklmnopq")
        language.begin(dict(zip(subjects, names, strict=False)), [e for _, e in plan], copied, self.way.helped)
        language.left_out = tuple(without)
        lines: list[str] = []
        late: dict[str, Reading] = {}
        at = 0
        while at < len(plan):
            number, event = plan[at]
            if event.kind == "step":
                block = [event]
                while at + 1 < len(plan) and self._goes_on(plan, at, found):
                    at += 1
                    block.append(plan[at][1])
                number = plan[at][0]
                lines += language.steps(block)
            else:
                lines += language.call(event, number, loads[number])
            for name, each in found.items():
                if each.since == number:
                    lines.append(f"before = {language.read(each._replace(kind='param'))}")
                if self._is_now(each, plan, at):
                    if self._can_wait(each, plan, at):
                        late[name] = each
                    else:
                        lines.append(f"{name} = {language.read(each)}")
            at += 1
        self.late = {name: language.read(each) for name, each in late.items()}
        if len(self.late) == len(found) == 2 or len(found) == len(self.late) > 0 and "expected" in found:
            lines.append(f"{', '.join(self.late)} = {', '.join(self.late.values())}")
        elif self.late:
            lines += [f"{name} = {value}" for name, value in self.late.items()]
        return lines

    def _goes_on(self, plan: list[tuple[int, Event]], at: int, found: dict[str, Reading]) -> bool:
        """Whether the next call is another step of the same optimizer, before which nothing is read."""
        event, after = plan[at][1], plan[at + 1][1]
        read = any(self._is_now(each, plan, at) or each.since == plan[at][0] for each in found.values())
        return after.kind == "step" and after.subject == event.subject and not read

    def _is_now(self, each: Reading, plan: list[tuple[int, Event]], at: int) -> bool:
        numbers = [number for number, _ in plan]
        return numbers[at] == each.event or each.event not in numbers and at == len(plan) - 1

    def _can_wait(self, each: Reading, plan: list[tuple[int, Event]], at: int) -> bool:
        """Whether nothing changes it later."""
        if each.kind == "saved":
            return at == len(plan) - 1
        return all(event.subject != each.subject for _, event in plan[at + 1 :])

    def _load(self, event: Event) -> Load | None:
        """What a set_state() call loads."""
        if event.kind != "set_state":
            return None
        origin = self.origin(event)
        if origin is None:
            raise Unwritable("it loads a state that was not saved in the run")
        first = self.recorder.events[origin]
        is_copy = event.state is not first.state
        before = {(each.place, each.way): each.values for each in saved(self.recorder, first.subject, first.then)}
        changes = [
            Change(each.way, _one_value(each), each.plain)
            for each in saved(self.recorder, event.subject, event.then)
            if not np.array_equal(each.values, before[each.place, each.way], equal_nan=each.values.dtype.kind == "f")
            and (is_copy or each.values.dtype.kind == "i")  # arrays that are shared change with their owner
        ]
        return Load(origin, is_copy, changes, is_copy and event.subject == self.meddled)

    def _literal(self, broken: Broken, text: str, actual: Reading) -> list[str]:
        """The program whose expectation is a number, or is computed by the formula."""
        ends = ends_of(text)
        if ends is None:
            raise Unwritable(f"what is expected is no number: {text}")
        low, high = ends
        calls = self._calls(self._needed([actual]), {"actual": actual})
        if self.way.computed:
            formula = self._formula(actual, low, high, float(plain(broken.actual)))
            if not formula:
                raise NotComputed("the formula is not computed in a few lines")
            return [*calls, "", *formula]
        if self._of_the_formula(text) and self.claim:
            self.comment += self._source(self.claim)
            self.comment += [f"    {line}" for line in self.claim.lines()]
        else:
            self.comment += wrap(self.check.statement, WIDTH)
        found = float(plain(broken.actual))
        if low == high and math.isfinite(low):
            return [*self._with_expected(calls, _number(low)), *self._end(*self._unequal(broken))]
        near = float(simplest(low, high)) if math.isfinite(low) and math.isfinite(high) else math.nan
        slack = float(f"{max(high - near, near - low) * 1.01:.1e}") if math.isfinite(near) else math.nan
        if math.isfinite(near) and (not math.isfinite(found) or abs(found - near) > slack):
            lines = self._with_expected(calls, repr(near))
            return [*lines, *self._end(f"not abs(actual - expected) <= {slack!r}", "what rounding may change")]
        if math.isinf(low) and math.isfinite(high) and not text.startswith("between"):
            shown = 'print("expected at most", limit, " actual", actual)'
            return [*calls, f"limit = {high!r}", shown, "raise SystemExit(not actual <= limit)"]
        return [
            *calls,
            f"low, high = {_number(low)}, {_number(high)}  # what rounding allows",
            'print("expected", low, "to", high, " actual", actual)',
            "raise SystemExit(not low <= actual <= high)",
        ]

    def _with_expected(self, calls: list[str], expected: str) -> list[str]:
        """The calls, and in their last line, which reads the actual number, the expected one."""
        if calls and calls[-1] == f"actual = {self.late.get('actual')}":
            return [*calls[:-1], f"expected, actual = {expected}, {self.late['actual']}"]
        return [*calls, f"expected = {expected}"]

    def _source(self, claim: Specification) -> list[str]:
        return wrap(f"{claim.title}: {claim.source}", WIDTH)

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
        start = {**claim.family.memory, **{k: v for k, v in start.items() if k in used}, "theta": theta}
        near = self._evaluated(claim, theta, gradients, key)
        middle = min(max(near, low), high)
        dtype = first.params[0].dtype
        rounding = 4 * len(steps) * float(np.finfo(dtype).eps) * max(abs(near), abs(theta))
        slack = max(high - low, 4 * abs(near - middle), rounding)
        if not abs(found - near) > 2 * slack:
            return []
        self.comment += self._source(claim)
        lines = []
        if settings:
            values = ", ".join(name_in_python(name) for name in settings)
            lines.append(f"{values} = {', '.join(repr(v) for v in settings.values())}")
        groups: dict[str, list[str]] = {}
        for name, value in start.items():
            groups.setdefault(repr(value), []).append(name_in_python(name))
        lines += [f"{' = '.join(group)} = {value}" for value, group in groups.items()]
        counted = f"for t, g in enumerate({gradients!r}, start=1):" if "t" in used else f"for g in {gradients!r}:"
        lines += [counted, *(f"    {line}" for line in body)]
        lines += [f"expected = {name_in_python(key)}"]
        return [*lines, *self._end(f"not abs(actual - expected) <= {slack:.1e}", "what rounding may change")]

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

    def _assembled(self, lines: list[str], where: str) -> str:
        title = title_of(self.check.id, self.check.statement).wrong
        head = headed(self.subject, title, where, self.comment, self.check.id)
        helper = self.language.helper()
        body = "\n".join([*helper, *lines])
        needs = [line for line in ("import copy", "import math") if f"{line.split()[1]}." in body]
        imports = [*needs, *self.language.imports(), *self.subject.imports]
        blank = [] if helper else [""]
        return "\n".join([*head, "", *imports, *blank, *helper, *lines, ""])


def headed(subject: Subject, wrong: str, where: str, more: Sequence[str], property_id: str) -> list[str]:
    """The comment that a program begins with: what is wrong, where, and `more`, the formula say."""
    lines = [
        *wrap(f"{subject.title}: {wrong[0].lower()}{wrong[1:]}", WIDTH),
        *wrap(f"Here: {where}.", WIDTH),
        *more,
        f"Found by tinygrad_lr {__version__} ({property_id}, seed {subject.seed}). {END}",
    ]
    return [f"# {line}" for line in lines]


def _same_call(one: tuple[int, Event], other: tuple[int, Event]) -> bool:
    """Whether two optimizers were asked the same."""
    a, b = one[1], other[1]
    arrays = [
        len(x) == len(y)
        and all(np.array_equal(p, q) if p is not None and q is not None else p is q for p, q in zip(x, y, strict=True))
        for x, y in ((a.params, b.params), (a.grads, b.grads))
    ]
    return a.kind == b.kind and repr(a.settings) == repr(b.settings) and all(arrays)


def _one_value(shown: Shown) -> Any:
    """The number that all elements of an entry have."""
    values = shown.values.ravel()
    if values.size > 1 and not (values == values[0]).all():
        raise Unwritable("a saved array is changed before it is loaded")
    return values[0].item()
