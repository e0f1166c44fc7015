"""`parametrize_optimizer_checks`: checks inside a pytest suite, one test id for each property and configuration.

    from tinygrad_lr import verify

    @verify.parametrize_optimizer_checks([(MyAdam, "adam"), {"make": MyAdam, "spec": "adam", "dtype": "float64"}])
    def test_my_adam(check):
        check()

What is not applicable is skipped with its reason; expected failures are strict xfails. pytest is imported when this is
called. Next: checks/optimizers.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..adapters.recognition import adapt
from ..outcomes import apply_expectation
from ..properties import PROPERTIES
from ..protocol import NoFormula
from ..report import Finding, title_of
from . import arguments
from .optimizers import check_optimizer, properties_for, resolve_claim


class CheckedCodeError(Exception):
    """The checked optimizer raised, hung or does not keep to the protocol: no failure that can be expected unnamed."""


@dataclass(frozen=True)
class OptimizerCheck:
    """One property of one configuration, to be called by a test."""

    property_id: str
    configuration: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The property's name in words."""
        return title_of(self.property_id).name

    def of(self, make: Any) -> OptimizerCheck:
        """The same check of another optimizer."""
        return replace(self, configuration={**self.configuration, "make": make})

    def finding(self) -> Finding:
        """The property's finding, or that of P0 where the subject does not keep to the protocol."""
        settings = {key: value for key, value in self.configuration.items() if key != "expected_failures"}
        first = PROPERTIES[self.property_id].after
        report = check_optimizer(**settings, properties=[*first, self.property_id])
        return report.findings[0] if report.findings[0].outcome != "passed" else report[self.property_id]

    def __call__(self) -> None:
        """Raise AssertionError on a failure, and `CheckedCodeError` where no failure but an error came."""
        import pytest

        finding = self.finding()
        if finding.outcome in ("not applicable", "differs", "ignored"):
            pytest.skip(f"{finding.property_id}: {finding.reason}")
        if finding.outcome == "passed":
            return
        expected = apply_expectation(finding, self.configuration.get("expected_failures") or {})
        if expected.outcome in ("differs", "ignored"):
            pytest.skip(f"{finding.property_id} {expected.outcome}: {expected.reason or finding.where}")
        raised = finding.outcome == "error" and expected.outcome != "expected failure"
        raise (CheckedCodeError if raised else AssertionError)(f"\n{finding}")


def parametrize_optimizer_checks(configurations: Iterable[Any]) -> Any:
    """A decorator that gives a test function the argument `check`, once for every property of every configuration.

    Args:
        configurations: `(make, spec)` pairs, `make` alone, or dicts of `check_optimizer`'s arguments.

    Raises:
        TypeError: a configuration of another kind.

    Example:
        >>> from tinygrad_lr.verify import adapters
        >>> mark = parametrize_optimizer_checks([(adapters.naive("sgd"), "sgd")])
        >>> [param.id for param in mark.args[1]][:2]
        ['sgd-float32-P1', 'sgd-float32-P1.changes']
    """
    import pytest

    params, taken = [], set()
    for configuration in configurations:
        settings = _settings(configuration)
        claim = resolve_claim(settings.get("spec"), settings.get("hyperparameters"), settings["make"])
        title = arguments.name_of(adapt(settings["make"])) if isinstance(claim, NoFormula) else claim.name
        base = f"{title}-{settings.get('dtype', 'float32')}"
        name, copies = base, 1
        while name in taken:
            copies += 1
            name = f"{base}-{copies}"
        taken.add(name)
        for check, reason in checks_of_configuration(settings):
            marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)] if reason is not None else []
            params.append(pytest.param(check, id=f"{name}-{check.property_id}", marks=marks))
    return pytest.mark.parametrize("check", params)


def checks_of_configuration(settings: Mapping[str, Any]) -> list[tuple[OptimizerCheck, str | None]]:
    """Each property to check of a configuration, and the reason why it is expected to fail (None: it is not).

    Args:
        settings: `check_optimizer`'s arguments; `make` may be None where it is given later (`OptimizerCheck.of`).

    Raises:
        TypeError, ValueError: an unknown property, or a specification that is none.
    """
    claim = resolve_claim(settings.get("spec"), settings.get("hyperparameters"), settings.get("make"))
    expected = arguments.expectations(settings.get("expected_failures"), PROPERTIES)
    each = {key: value for key, value in settings.items() if key != "properties"}
    found = properties_for(settings.get("properties"), claim)
    return [(OptimizerCheck(check.id, each), expected.get(check.id)) for check in found]


def _settings(configuration: Any) -> dict[str, Any]:
    if isinstance(configuration, Mapping):
        if "make" not in configuration:
            raise TypeError(f"a configuration needs 'make', got {sorted(configuration)}")
        return dict(configuration)
    if isinstance(configuration, tuple) and len(configuration) == 2:
        return {"make": configuration[0], "spec": configuration[1]}
    if callable(configuration):
        return {"make": configuration}
    raise TypeError(
        f"a configuration is (make, spec), a maker or a dict of check_optimizer's arguments, got {configuration!r}"
    )
