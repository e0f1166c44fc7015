"""`tinygrad-lr verify`: the checks on the command line. Exit status 0 all right, 1 something failed, 2 wrong usage.

`run` starts a child process (isolated.py), which runs `check`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from argparse import Namespace
from ast import literal_eval
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinygrad_lr.files import write_text
from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.settings import setting

from .isolated import run_isolated, serve
from .outcomes import TIMEOUT
from .report import Report

# Options that say nothing about a schedule, and their values where they are not given.
OF_OPTIMIZERS: dict[str, Any] = {
    "properties": None,
    "dtype": "float32",
    "seed": 0,
    "deep": False,
    "without": None,
    "state_names": [],
    "prepare": None,
    "elementwise": None,
    "coupled": None,
    "ignore": [],
}


def run(arguments: Namespace) -> int:
    """Check what the arguments name, print the report, and say by the exit status whether all is right."""
    _refuse_contradictions(arguments)
    arguments.target = place_of(arguments.target)
    child = "from tinygrad_lr.verify.command import serve_check; serve_check()"
    report = run_isolated(child, repr(vars(arguments)), arguments.target, limit_of(arguments))
    present(report, arguments)
    return 0 if report.ok else 1


def present(report: Report, arguments: Namespace) -> None:
    """Print the report, or write it, as the arguments want it."""
    see = "--properties {id} --script - prints a program that shows it"
    text = report.render(
        arguments.format,
        everything=arguments.all,
        see=see,
        hint="--all says more",
        leave_out="--ignore inherited leaves it out",
    )
    if arguments.out:
        write_text(Path(arguments.out), text + "\n")
        print(f"{report.summary}; the report is in {arguments.out}")
    else:
        print(text)
    if arguments.json:
        write_text(Path(arguments.json), report.render("json") + "\n")
    if arguments.badge:
        write_text(Path(arguments.badge), report.badge() + "\n")
    if arguments.script:
        _programs(report, arguments.script)


def _programs(report: Report, where: str) -> None:
    """Print the programs of all failures ("-"), or write each into a folder; say for which there is none, and why."""
    if where == "-":
        for each in report.failures:
            if each.program:
                print(f"\n# {'-' * 20} {each.property_id}\n{each.program}")
    else:
        for path in report.write_scripts(where):
            print(f"wrote {path}")
    for each in report.failures:
        if not each.program and each.outcome != "not run":
            print(f"no program for {each.property_id}: {each.no_program or 'nothing was compared'}")


def serve_check() -> None:
    """What the child process runs: `check` with the arguments of `run`, which are its own argument."""
    arguments = Namespace(**literal_eval(sys.argv[1]))
    serve(lambda: check(arguments))


def limit_of(arguments: Namespace) -> float | None:
    """The seconds that a property may take; None: no limit."""
    return arguments.timeout if arguments.timeout is not None else None if arguments.deep else TIMEOUT


def _refuse_contradictions(arguments: Namespace) -> None:
    """Raise ValueError for what can be seen to be wrong without the target."""
    for text in arguments.set:
        setting(text)
    for text in arguments.expect_failure:
        _expectation(text)
    for text in (*arguments.names, *arguments.state_names):
        _theirs(text)
    if arguments.schedule:
        for name, otherwise in OF_OPTIMIZERS.items():
            if getattr(arguments, name) != otherwise:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} says nothing about a schedule; leave it out, or leave out --schedule")
    elif arguments.total_steps is not None:
        raise ValueError("--total-steps is of a schedule; leave it out, or say --schedule")


def check(arguments: Namespace) -> Report:
    """The report of what the arguments name.

    Raises:
        ValueError, ImportError, OSError: wrong usage.
    """
    from .adapters.recognition import adapt, claim_of  # the parent process needs none of these
    from .checks.optimizers import check_optimizer
    from .checks.schedules import check_schedule
    from .specification import spec as named_spec

    target = load(place_of(arguments.target))
    options = dict(map(setting, arguments.set))
    expected = dict(map(_expectation, arguments.expect_failure))
    try:
        if arguments.schedule:
            given = options.pop("total_steps", arguments.total_steps)
            return check_schedule(
                target,
                arguments.spec,
                total_steps=given if arguments.total_steps is None else arguments.total_steps,
                dialect=arguments.dialect,
                names=names_of(arguments.names),
                expected_failures=expected,
                timeout=limit_of(arguments),
                **options,
            )
        if arguments.spec is None:
            claim = claim_of(target, arguments.dialect)
        else:
            known = named_spec(formula_of(arguments.spec), dialect=arguments.dialect)
            claim = known.having(**{key: value for key, value in options.items() if key in known.all_names})
        about: dict[str, Any] = {
            "names": names_of(arguments.names),
            "state_names": {key: value[0] for key, value in map(_theirs, arguments.state_names)},
            "without": tuple(arguments.without or ()),
            "prepare": _preparation(arguments.prepare),
        }
        return check_optimizer(
            adapt(target, arguments.dialect, **about),
            claim,
            expected_failures=expected,
            hyperparameters={key: value for key, value in options.items() if not claim or key not in claim.all_names},
            dtype=arguments.dtype,
            seed=arguments.seed,
            deep=arguments.deep,
            timeout=limit_of(arguments),
            properties=arguments.properties,
            elementwise=_yes(arguments.elementwise),
            coupled=_yes(arguments.coupled),
            ignore=arguments.ignore,
        )
    except TypeError as error:  # an option of the wrong kind
        raise ValueError(str(error)) from error


def _yes(said: str | None) -> bool | None:
    """What "yes" and "no" say; None: nothing is said."""
    return None if said is None else said == "yes"


def formula_of(text: str) -> Any:
    """What `--spec` names: a formula by its name, or "file.py:name" or "module:name" of one's own.

    Raises:
        ValueError: there is no such file or name, or it is no formula.
    """
    if ":" not in text:
        return text
    from .brought import formula
    from .specification import Specification

    found = load(text)
    if isinstance(found, Specification):
        return found
    if not callable(found):
        raise ValueError(f"expected {text} to be made by verify.formula(...), or a rule without states, got {found!r}")
    return formula(found)


def names_of(texts: Iterable[str]) -> dict[str, Any]:
    """`names=` as `--names` says it.

    Example:
        >>> names_of(["lr=learning_rate", "betas=beta1,beta2", "eps="])
        {'lr': 'learning_rate', 'betas': ('beta1', 'beta2'), 'eps': None}
    """
    return {key: value if len(value) > 1 else value[0] for key, value in map(_theirs, texts)}


def _theirs(text: str) -> tuple[str, tuple[str | None, ...]]:
    """ "betas=beta1,beta2" as ("betas", ("beta1", "beta2")); nothing after the sign is None."""
    name, sign, theirs = text.partition("=")
    if not (name and sign):
        raise ValueError(f"expected NAME=THEIRS, such as lr=learning_rate, got {text!r}")
    return name, tuple(theirs.split(",")) if theirs else (None,)


def _preparation(text: str | None) -> Any:
    """What `--prepare` names: a function from a file or a module, or a method of the optimizer."""
    if text is None or ":" in text:
        return text and load(text)

    def prepare(optimizer: Any) -> None:
        if not callable(method := getattr(optimizer, text, None)):
            raise ValueError(f"--prepare {text}: {type(optimizer).__name__} has no method {text}()")
        method()

    return prepare


def _expectation(text: str) -> tuple[str, str]:
    property_id, _, reason = text.partition("=")
    if not reason:
        raise ValueError(f"an expected failure is PROPERTY=REASON, such as P9='forgets its steps', got {text!r}")
    return property_id, reason


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
