"""A failure of a schedule or a clipping as a program: one call, and what it answers. See programs.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.version import __version__

from ..report import Finding, settings_text
from ..report.differences import ends_of, number
from .languages import Language, Unwritable, listed
from .programs import Program, Subject, run_here, subject_of

CLIPPED = """\
before = [g.copy() for g in grads]
found = {name}(grads, max_norm)
actual = [g.tolist() for g in (found if isinstance(found, (list, tuple)) else grads)]

norm = math.hypot(*(float(x) for g in before for x in g.ravel()))
factor = min(1.0, max_norm / norm) if norm else 1.0
expected = [(g.astype(float) * factor).tolist() for g in before]
print("expected", expected)
print("actual  ", actual)
near = lambda e, a: np.all(np.abs(np.subtract(e, a)) <= {slack} * np.abs(e))  # noqa: E731
sys.exit(not all(map(near, expected, actual)))"""


def program_of_a_rate(
    finding: Finding,
    schedule: Any,
    build: Callable[..., Any] | None,
    given: Mapping[str, Any],
    formula: Sequence[str] = (),
) -> Program:
    """The program that reads the rate at the step of a finding.

    Args:
        finding: of `check_schedule`, failed.
        schedule: the function of the step; None: what `build` builds with `given`.
        formula: lines to stand beside the number.
    """
    original: Any = build if schedule is None else schedule
    subject = subject_of(original, original, 0, {})
    step = (finding.example or {}).get("step")
    if not isinstance(step, (int, float, np.number)) or isinstance(step, bool):
        return Program(why_not="it speaks of no one step")
    call = f"{subject.name}({settings_text(given)})" if schedule is None else subject.name
    found, ends = number(finding.actual), ends_of(finding.expected)
    lines = [f"# {line}" for line in formula]
    lines += [f"actual = float({call}({np.asarray(step).item()!r}))"]
    if ends is not None:
        low, high = ends
        lines += [f"low, high = float('{low!r}'), float('{high!r}')", 'print("expected", low, "to", high)']
        lines += ['print("actual  ", actual)', "sys.exit(not low <= actual <= high)"]
    elif found is not None:
        lines += [f'print("expected", {finding.expected!r})', 'print("actual  ", actual)']
        lines += [f"sys.exit(actual == float('{found!r}'))  # as it was found"]
    else:
        return Program(why_not="what came is no number")
    return _tried(finding, subject, ["import sys"], lines)


def program_of_a_clipping(finding: Finding, clip: Callable[..., Any], dtype: Any) -> Program:
    """The program that clips the gradients of a finding, and scales them as they should be."""
    subject = subject_of(clip, clip, 0, {})
    example = finding.example or {}
    try:
        dtypes = example.get("dtypes") or [str(np.dtype(dtype))] * len(example["grads"])
        arrays = [(np.asarray(g, of), of) for g, of in zip(example["grads"], dtypes, strict=True)]
        grads = ", ".join(f"np.array({listed(array)}, np.{of})" for array, of in arrays)
    except (KeyError, Unwritable) as reason:
        return Program(why_not=str(reason))
    lines = [f"grads = [{grads}]", f"max_norm = {float(example['max_norm'])!r}"]
    slack = 0 if finding.property_id in ("P26.identity", "P26.zero") else 1e-5
    lines += CLIPPED.format(name=subject.name, slack=slack).splitlines()
    return _tried(finding, subject, ["import math", "import sys", "", "import numpy as np"], lines)


def _tried(finding: Finding, subject: Subject, imports: list[str], lines: list[str]) -> Program:
    if not subject.name:
        return Program(why_not="it cannot be imported by name: it is made in a function, or in no file")
    head = [
        f'"""{finding.title.wrong}',
        "",
        f"{subject.title}: {finding.property_id}, {finding.where}.",
        f"Found by tinygrad_lr {__version__}. The exit status is 1 where it is so.",
        '"""',
        "",
    ]
    text = "\n".join([*head, *imports, *subject.imports, "", *lines, ""])
    status = run_here(text, subject, Language)
    return Program(text) if status == 1 else Program(why_not=f"the call alone does not show it ({status})")
