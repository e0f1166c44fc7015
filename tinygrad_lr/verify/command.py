"""`tinygrad-lr verify`: the kit on the command line. Exit status 0 all right, 1 something failed, 2 bad usage.

The check runs in a process of its own (watched.py), which `run` starts and `check` is what it does.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad_lr.files import write_text
from tinygrad_lr.optim.table import OPTIMIZERS

from .checks.arguments import TIMEOUT
from .documents.explain import setting
from .formulas import FAMILIES
from .report import Report
from .specification import Specification
from .specification import spec as named_spec
from .watched import watched

# Options that say nothing about a schedule, and their values where they are not given.
OF_OPTIMIZERS = {"dialect": None, "properties": None, "dtype": "float32", "seed": 0, "deep": False}


def run(arguments: Any) -> int:
    """Check what the arguments name, print the report, and say by the exit status whether all is right."""
    _sensible(arguments)
    arguments.target = place_of(arguments.target)
    report = watched(arguments, limit_of(arguments))
    print(report)
    if arguments.json:
        write_text(Path(arguments.json), json.dumps(report.as_dict(), indent=1) + "\n")
    return 0 if report.ok else 1


def limit_of(arguments: Any) -> float | None:
    """The seconds that a property may take; None: no limit."""
    return arguments.timeout if arguments.timeout is not None else None if arguments.deep else TIMEOUT


def _sensible(arguments: Any) -> None:
    """Raise ValueError for what can be seen to be wrong without the target."""
    for text in arguments.set:
        setting(text)
    for text in arguments.expect_failure:
        _expectation(text)
    if arguments.properties == []:
        raise ValueError("--properties names none; leave it out to check all")
    if arguments.schedule:
        for name, otherwise in OF_OPTIMIZERS.items():
            if getattr(arguments, name) != otherwise:
                raise ValueError(f"--{name} says nothing about a schedule; leave it out, or leave out --schedule")
    elif arguments.total_steps is not None:
        raise ValueError("--total-steps is of a schedule; leave it out, or say --schedule")


def check(arguments: Any) -> Report:
    """The report of what the arguments name.

    Raises:
        ValueError, ImportError, OSError: wrong usage.
    """
    target = load(place_of(arguments.target))
    options = dict(map(setting, arguments.set))
    expected = dict(map(_expectation, arguments.expect_failure))
    try:
        if arguments.schedule:
            from .checks.schedules import check_schedule

            return check_schedule(
                target,
                arguments.spec,
                total_steps=arguments.total_steps,
                expected_failures=expected,
                timeout=limit_of(arguments),
                **options,
            )
        from .checks.optimizers import check_optimizer

        if arguments.spec is None:
            claim = own_claim(target, arguments.dialect)
        else:
            claim = named_spec(arguments.spec, dialect=arguments.dialect, **options)
        return check_optimizer(
            adapted(target, arguments.dialect),
            claim,
            expected_failures=expected,
            hyperparameters=options if arguments.spec is None else None,
            dtype=arguments.dtype,
            seed=arguments.seed,
            deep=arguments.deep,
            timeout=limit_of(arguments),
            properties=arguments.properties,
        )
    except TypeError as error:  # an option of the wrong kind
        raise ValueError(str(error)) from error


def _expectation(text: str) -> tuple[str, str]:
    property_id, _, reason = text.partition("=")
    if not reason:
        raise ValueError(f"an expected failure is PROPERTY=REASON, such as P9='forgets its steps', got {text!r}")
    return property_id, reason


def own_claim(target: Any, dialect: str | None) -> Specification | None:
    """What one of our own optimizers claims to compute; None for all others, and where it has no formula."""
    name = OPTIMIZERS.name_of(target) if inspect.isclass(target) else None
    if name is None or name not in FAMILIES:
        return None
    return named_spec(name, dialect=dialect or next(iter(OPTIMIZERS[name].dialects)))


def place_of(target: str) -> str:
    """ "module:name" of an optimizer that is named as the command line names it; of all else, what was given.

    Example:
        >>> place_of("adam"), place_of("torch.optim:Adam")
        ('tinygrad_lr.optim.adam:Adam', 'torch.optim:Adam')
    """
    return OPTIMIZERS.rows[target].place if ":" not in target and target in OPTIMIZERS else target


def load(target: str) -> Any:
    """The object that "module:name" or "file.py:name" names.

    Raises:
        ValueError: no colon, no such file, module or name; the message says which.

    Example:
        >>> load("math:sqrt")(4.0)
        2.0
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise ValueError(f"expected module:name or file.py:name, such as torch.optim:Adam, got {target!r}")
    if place.endswith(".py"):
        module = _from_file(Path(place))
    else:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"{target}: {error}; is it installed, and is it the module's full name?") from error
        except Exception as error:
            raise ValueError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{place} has no {name!r}")
        found = getattr(found, part)
    return found


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    described = importlib.util.spec_from_file_location(path.stem, path)
    assert described is not None and described.loader is not None  # the name ends in .py
    module = importlib.util.module_from_spec(described)
    try:
        described.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def adapted(target: Any, dialect: str | None) -> Callable[..., Any]:
    """A maker of what was named: our own optimizers, torch's, keras's and optax's through their adapters."""
    from . import adapters

    if not callable(target):
        raise ValueError(f"expected an optimizer class, a factory or make(params, **hyperparameters), got {target!r}")
    library = _library_of(target)
    if library == "own":
        return adapters.own(target, dialect=dialect)
    return getattr(adapters, library)(target) if library else target  # type: ignore[no-any-return]


def _library_of(target: Any) -> str:
    """The adapter that something needs: "own", "torch", "keras", "optax" or none."""
    home = (getattr(target, "__module__", None) or "").split(".")[0]
    if not inspect.isclass(target):
        return "optax" if home == "optax" else ""
    bases = {f"{base.__module__.split('.')[0]}.{base.__name__}" for base in target.__mro__}
    known = {"tinygrad_lr.Optimizer": "own", "torch.Optimizer": "torch", "keras.Optimizer": "keras"}
    return next((adapter for base, adapter in known.items() if base in bases), "")
