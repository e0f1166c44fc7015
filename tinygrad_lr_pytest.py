"""The pytest plugin: a marked optimizer is a test for each property, a marked schedule is a test.

    @pytest.mark.verify_optimizer(spec="adam", dialect="torch")
    class MyAdam(torch.optim.Optimizer): ...

    @pytest.mark.verify_optimizer(spec="adam", expected_failures={"P9": "forgets its moments"})
    def my_factory(params, lr=1e-3): ...

    @pytest.mark.verify_optimizer(spec="adam")
    def test_of_a_fixture(my_fixture):
        return my_fixture          # what is checked

The module stands beside the package: pytest imports it at every start, and the package when a mark is met.
Next: tinygrad_lr/verify/checks/suite.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

OPTIMIZER, SCHEDULE = "verify_optimizer", "verify_schedule"
PROPERTY = "verified_property"
MARKS = (
    f"{OPTIMIZER}(spec, dialect, ...): check an optimizer, a test for each property; the arguments are those of "
    "tinygrad_lr.verify.check_optimizer",
    f"{SCHEDULE}(spec, total_steps, ...): check a schedule; the arguments are those of "
    "tinygrad_lr.verify.check_schedule",
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    for line in MARKS:
        config.addinivalue_line("markers", line)


def own_mark(obj: Any, name: str) -> pytest.Mark | None:
    """The mark of a class or function itself: what a class inherits is its parent's."""
    marks = vars(obj).get("pytestmark", []) if inspect.isclass(obj) or inspect.isfunction(obj) else []
    return next((mark for mark in marks if getattr(mark, "name", "") == name), None)


def pytest_pycollect_makeitem(collector: Any, name: str, obj: Any) -> Any:
    """The tests of a marked class, factory or schedule; functions that are tests return what is checked."""
    for kind in (OPTIMIZER, SCHEDULE):
        mark = own_mark(obj, kind)
        is_test = inspect.isfunction(obj) and collector.funcnamefilter(name)
        if mark is not None and not is_test and getattr(obj, "__module__", "") == collector.module.__name__:
            node = Optimizer if kind == OPTIMIZER else Schedule
            return node.from_parent(collector, name=name, thing=obj, mark=mark)
    return None


def checks_of(thing: Any, mark: pytest.Mark) -> list[tuple[str, Any, str | None]]:
    """The name, the check, and the reason of an expected failure, of each property that the mark asks for.

    Raises:
        pytest.Collector.CollectError: an argument that `check_optimizer` does not take, or one that is wrong.
    """
    from tinygrad_lr import verify
    from tinygrad_lr.verify.checks.suite import checks_of_configuration

    known = [name for name in inspect.signature(verify.check_optimizer).parameters if name != "make"]
    settings = arguments(mark, ("spec",), [*known, "dialect"])
    dialect, spec = settings.pop("dialect", None), settings.get("spec")
    try:
        if isinstance(spec, str):
            settings["spec"] = verify.spec(spec, dialect=dialect)
        elif dialect is not None:
            raise TypeError("dialect= needs spec='name'")
        return [
            (f"{each.property_id}-{each.name.replace(' ', '-')}", each, reason)
            for each, reason in checks_of_configuration({"make": thing, **settings})
        ]
    except (TypeError, ValueError, ImportError) as error:
        raise pytest.Collector.CollectError(f"{OPTIMIZER}: {error}") from error


def arguments(mark: pytest.Mark, positional: tuple[str, ...], known: list[str]) -> dict[str, Any]:
    """A mark's arguments by name."""
    if len(mark.args) > len(positional):
        raise pytest.Collector.CollectError(
            f"{mark.name} takes {', '.join(positional)} without a name, got {mark.args!r}"
        )
    settings = {**dict(zip(positional, mark.args, strict=False)), **mark.kwargs}
    if unknown := sorted(set(settings) - set(known)):
        raise pytest.Collector.CollectError(f"{mark.name} takes no {', '.join(unknown)}; it takes {', '.join(known)}")
    return settings


def strict(reason: str) -> pytest.MarkDecorator:
    """A failure that is expected; a pass, or an error in its place, fails."""
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)


class Optimizer(pytest.Collector):
    """The tests of one optimizer."""

    def __init__(self, *, thing: Any, mark: pytest.Mark, **more: Any) -> None:
        super().__init__(**more)
        self.thing, self.mark = thing, mark

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each property."""
        for name, check, reason in checks_of(self.thing, self.mark):
            item = Property.from_parent(self, name=name, thing=self.thing, run=check)
            if reason is not None:
                item.add_marker(strict(reason))
            yield item


class Property(pytest.Item):
    """A test that runs a check, and shows its report alone where it fails."""

    def __init__(self, *, thing: Any, run: Any, **more: Any) -> None:
        super().__init__(**more)
        self.thing, self.run = thing, run

    def runtest(self) -> None:
        """Check."""
        self.run()

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The lesson, without a traceback through the checks."""
        ours = type(excinfo.value).__name__ in ("AssertionError", "CheckedCodeError", "Wrong")
        return str(excinfo.value).strip("\n") if ours else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Where the checked thing stands."""
        try:
            line = inspect.getsourcelines(self.thing)[1] - 1
        except (OSError, TypeError):
            line = None
        return self.path, line, f"{self.parent.name if self.parent else ''}: {self.name}"


class Wrong(AssertionError):
    """A schedule is not right; the message is the report."""


class Schedule(pytest.Collector):
    """The test of one schedule."""

    def __init__(self, *, thing: Any, mark: pytest.Mark, **more: Any) -> None:
        super().__init__(**more)
        self.thing, self.mark = thing, mark

    def collect(self) -> Iterator[pytest.Item]:
        """One test of all properties."""

        def run() -> None:
            from tinygrad_lr import verify

            settings = {**dict(zip(("spec",), self.mark.args, strict=False)), **self.mark.kwargs}
            report = verify.check_schedule(self.thing, **settings)
            if not report.ok:
                raise Wrong(str(report))

        yield Property.from_parent(self, name="schedule", thing=self.thing, run=run)


@pytest.fixture
def verified_property() -> None:
    """What pytest_generate_tests gives a value for each property."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A marked test function runs once for each property of what it returns."""
    mark = own_mark(metafunc.function, OPTIMIZER)
    if mark is None:
        return
    metafunc.fixturenames.append(PROPERTY)
    params = []
    for name, check, reason in checks_of(None, mark):
        params.append(pytest.param(check, id=name, marks=[strict(reason)] if reason is not None else []))
    metafunc.parametrize(PROPERTY, params)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Check what a marked test function returns."""
    if own_mark(pyfuncitem.function, OPTIMIZER) is None:
        return None
    check: Any = pyfuncitem.callspec.params[PROPERTY]
    names = pyfuncitem._fixtureinfo.argnames
    thing = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    if not callable(thing):
        raise TypeError(f"{pyfuncitem.name} must return the optimizer's class or maker, got {type(thing).__name__}")
    check.of(thing)()
    return True
