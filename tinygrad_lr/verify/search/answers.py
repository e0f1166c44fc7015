"""A failure of a schedule or a clipping as a program: a few calls, and what they answer. See programs.py."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..adapters.schedules import ONE_BY_ONE, Adapted
from ..adapters.translation import target_of
from ..report import Finding, plain, settings_text
from ..report.differences import ends_of, number
from .languages import Keras, Language, Optax, Torch, Unwritable, listed, written_name
from .programs import Program, Subject, headed, run_here, subject_of

CLIPPED = """\
before = [g.copy() for g in grads]
found = {name}(grads, max_norm)
actual = [g.tolist() for g in (found if isinstance(found, (list, tuple)) else grads)]
norm = math.hypot(*(float(x) for g in before for x in g.ravel()))
factor = min(1.0, max_norm / norm) if norm else 1.0
expected = [(g.astype(float) * factor).tolist() for g in before]
print("expected", expected, " actual", actual)
raise SystemExit(not all(np.allclose(a, e, rtol={slack}, atol=0) for a, e in zip(actual, expected)))"""
FEW = 4  # numbers that are spelled out at once
WITHIN = re.compile(r"a (?:value|factor) in \[(\S+), (\S+)\]")
LANGUAGES_OF: Mapping[str, type[Language]] = {"torch": Torch, "optax": Optax, "keras": Keras}


def program_of_a_rate(
    finding: Finding,
    schedule: Any,
    build: Callable[..., Any] | None,
    given: Mapping[str, Any],
    formula: Sequence[str] = (),
) -> Program:
    """The program that reads the rate at the step of a finding, or why there is none; nothing is raised.

    Args:
        finding: of `check_schedule`, failed.
        schedule: the function of the step, or what a library's schedule was adapted to; None: what `build` builds with
            `given`.
        build: builds a schedule.
        given: the arguments.
        formula: lines to stand above.
    """
    example = finding.example or {}
    step = example.get("step")
    if not isinstance(step, (int, float, np.number)) or isinstance(step, bool):
        return Program(why_not="it speaks of no one step")
    step = np.asarray(step).item()
    changes = {key: value for key, value in example.items() if key != "step"}
    try:
        if isinstance(schedule, Adapted):
            adapted = schedule.build(**changes) if changes and schedule.build else schedule
            subject, imports, calls, actual = _of_a_library(adapted, step)
        else:
            original: Any = build if schedule is None else schedule
            subject, imports, calls = subject_of(original, original, 0, {}), [], []
            if changes and build is None:
                return Program(why_not="it is built otherwise by the library")
            call = f"{subject.name}({settings_text({**given, **changes})})" if schedule is None else subject.name
            actual = f"float({call}({step!r}))"
        return _tried(finding, subject, imports, [*calls, *_compared(finding, actual)], formula)
    except Unwritable as reason:
        return Program(why_not=str(reason))
    except Exception as error:  # the failure stands, with a program or without
        return Program(why_not=f"it could not be written ({type(error).__name__}: {error})")


def _compared(finding: Finding, actual: str) -> list[str]:
    """The lines that read the rate and compare it.

    Raises:
        Unwritable: what came is no number.
    """
    within = WITHIN.fullmatch(finding.expected)
    ends = ends_of(f"between {within[1]} and {within[2]}" if within else finding.expected)
    found = number(finding.actual)
    if ends is not None:
        low, high = (each if np.isfinite(each) else f'float("{each}")' for each in ends)
        return [
            f"low, high, actual = {low}, {high}, {actual}",
            'print("expected", low, "to", high, " actual", actual)',
            "raise SystemExit(not low <= actual <= high)",
        ]
    if found is None:
        raise Unwritable("what came is no number")
    as_found = "actual != actual" if found != found else f"actual == {plain(repr(found))}"
    if np.isinf(found):
        as_found = f'actual == float("{found}")'
    return [
        f"actual = {actual}",
        f'print("expected", {finding.expected!r}, " actual", actual)',
        f"raise SystemExit({as_found})  # as it was found",
    ]


def _of_a_library(adapted: Adapted, step: Any) -> tuple[Subject, list[str], list[str], str]:
    """How a library's schedule is imported, built, and read at a step.

    Raises:
        Unwritable: it was built by a function of the caller, or with what cannot be written down.
    """
    target = target_of(adapted.target) if adapted.target is not None else ""
    if not target:
        raise Unwritable(f"it is read as {adapted.title}, which a function of yours builds")
    language = LANGUAGES_OF.get(adapted.library, Torch)
    given = settings_text(adapted.settings)
    if re.search(r"<.* at 0x|<function|<class", given):
        raise Unwritable(f"its arguments cannot be written down: {given[:80]}")
    given = given.replace("=inf", '=float("inf")')
    written, name = written_name(target, language)
    for module in SHORT_NAMES.get(adapted.library, ()):
        if target.startswith(f"{module}:"):
            written, name = [], target.replace(":", ".")
    subject = Subject(written, name, adapted.target, adapted.title, 0, {})
    imports = language("", adapted, False, {}).imports()
    if adapted.library == "optax":
        return subject, ["import optax"], [f"schedule = {name}({given})"], f"float(schedule({step!r}))"
    if adapted.library == "keras":
        read = f"float(keras.ops.convert_to_numpy(schedule({step!r})))"
        return subject, imports, [f"schedule = {name}({given})"], read
    lines = [
        "p = torch.zeros(1, requires_grad=True)",
        f"optimizer = torch.optim.SGD([p], lr={adapted.base!r}, momentum=0.9)",
        f"scheduler = {name}(optimizer{', ' if given else ''}{given})",
    ]
    if adapted.library == "timm":
        lines += [f"(scheduler.step if scheduler.t_in_epochs else scheduler.step_update)({step!r})"] if step else []
    elif step > ONE_BY_ONE:
        return subject, imports, [*lines, f"scheduler.last_epoch = {step!r}"], "scheduler.get_lr()[-1]"
    elif step:
        lines += [f"for _ in range({step!r}):", "    optimizer.step()", "    scheduler.step()"]
    return subject, imports, lines, 'optimizer.param_groups[-1]["lr"]'


SHORT_NAMES = {"torch": ("torch.optim.lr_scheduler",), "optax": ("optax",), "keras": ("keras.optimizers.schedules",)}


def program_of_a_clipping(finding: Finding, clip: Callable[..., Any], dtype: Any) -> Program:
    """The program that clips the gradients of a finding, and scales them as they should be.

    Where they are many, ones take their place if they show it as well.
    """
    subject = subject_of(clip, clip, 0, {})
    example = finding.example or {}
    slack = 0 if finding.property_id in ("P26.identity", "P26.zero") else 1e-5
    called = CLIPPED.format(name=subject.name, slack=slack).splitlines()
    try:
        dtypes = example.get("dtypes") or [str(np.dtype(dtype))] * len(example["grads"])
        arrays = [np.asarray(g, of) for g, of in zip(example["grads"], dtypes, strict=True)]
        limit = float(example["max_norm"])
    except (KeyError, TypeError, ValueError) as error:
        return Program(why_not=f"its example has no gradients ({type(error).__name__})")
    told: list[tuple[list[str], float]] = []
    if sum(array.size for array in arrays) > FEW:
        told.append(([f"np.ones({array.shape}, np.{array.dtype})" for array in arrays], 1.0))
    with contextlib.suppress(Unwritable):
        told.append(([f"np.array({listed(array)}, np.{array.dtype})" for array in arrays], limit))
    program = Program(why_not="it takes more numbers than a program can hold")
    for grads, norm in told:
        lines = [f"grads, max_norm = [{', '.join(grads)}], {norm!r}", *called]
        program = _tried(finding, subject, ["import math", "import numpy as np"], lines)
        if program.text:
            break
    return program


def _tried(
    finding: Finding, subject: Subject, imports: list[str], lines: list[str], formula: Sequence[str] = ()
) -> Program:
    if not subject.name:
        return Program(why_not="it cannot be imported by name: it is made in a function, or in no file")
    head = headed(subject, finding.title.wrong, finding.where, [f"    {line}" for line in formula], finding.property_id)
    text = "\n".join([*head, "", *imports, *subject.imports, "", *lines, ""])
    status = run_here(text, subject, Language)
    return Program(text) if status == 1 else Program(why_not=f"the call alone does not show it ({status})")
