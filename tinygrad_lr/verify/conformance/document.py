"""The text of docs/conformance.md, from what was found. Next: equals.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version

from ..report import Finding, Report
from .equals import Entry
from .optimizers import NO_FORMULA, NOT_EXAMINED
from .worst import STARTS, WorstCase

LIBRARIES = re.compile(r"/[^ ]*/site-packages/")  # where a library lies is the machine's
HEAD = """\
*Equals* says which dialects' formula an optimizer computes: on gradients that neither vanish nor overflow when squared,
with settings that float32 holds, each of six steps, and of a run of 300, is inside the derived bound, which must be
narrow enough to tell a rate of 1% more apart. Float64 is tried first; then float64 with bounds for scalars (1 - beta^t
and the like) that the host computes in float32; then float32. The *remark* says which it was, or, where it equals none,
what the checks found instead: the known bug that it behaves as, or the gradients on which it differs. On NumPy keras
computes in float32, whatever the variables' dtype (below).

*Breaks* lists the properties of [verify](verify.md) that fail in float32, in the default profile, against the first of
these dialects (or, where it equals none, against the library's own). What each says, and the smallest example, stands
below the table; [properties.md](properties.md) has them all. What equals a formula in float64 can break P1 in float32:
where it computes 1 - beta^t in float32 too, that loses more than correct rounding of one step allows.
"""
ERRORS = """\
The largest error of an update of our kernels, over its bound, in a search driven by it. The error is the distance from
the formula in fifty digits, the bound what correct rounding in this dtype may add up to. From theta = 0 a step shows
the update itself; from any theta the last rounding, of theta, is most of both, so that its column says little of the
rule. Backends give the same bits (P18). Moments in 16 or 8 bits are taken as they are kept."""


def document(
    entries: Sequence[Entry],
    sections: Sequence[tuple[str, Report]],
    worst: Iterable[WorstCase],
    backends: Sequence[str],
) -> str:
    """The whole document."""
    libraries = ("torch", "optax", "jax", "keras", "numpy")
    parts = [
        "# Conformance\n",
        "Written by `python -m tinygrad_lr.verify.conformance docs/conformance.md`, with "
        + ", ".join(f"{name} {version(name)}" for name in libraries)
        + "; keras on its NumPy backend.\n",
        HEAD,
        _table(entries),
        _left_out(),
        "## What one example shows\n",
        *(_section(title, report.failures or report.findings) for title, report in sections),
        _worst(worst, backends),
        "## Failures, with the smallest examples\n",
        *(
            _section(f"{entry.optimizer.library}: {entry.optimizer.title}", entry.report.failures)
            for entry in entries
            if entry.report.failures
        ),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _table(entries: Sequence[Entry]) -> str:
    lines = ["| library | optimizer | formula | equals | remark | breaks |", "|---|---|---|---|---|---|"]
    for entry in entries:
        row = entry.optimizer
        equals = ", ".join(entry.equals) or ("**none**" if row.formula else "")
        formula = row.formula or "none here"
        lines.append(f"| {row.library} | {row.title} | {formula} | {equals} | {entry.remark} | {_broken(entry)} |")
    return "\n".join([*lines, ""])


def _broken(entry: Entry) -> str:
    """The properties that fail, and, apart, those that came to no answer as the optimizer raised."""
    failures = entry.report.failures
    said = [", ".join(each.property_id for each in failures if not each.raised)]
    for kind in dict.fromkeys(each.raised for each in failures if each.raised):
        said.append(f"{kind} in {', '.join(each.property_id for each in failures if each.raised == kind)}")
    return "; ".join(filter(None, said)) or "nothing"


def _left_out() -> str:
    """What has no formula, and what is not examined, each with its reason."""
    reasons = [f"- {library} {name}: {reason}." for (library, name), reason in NO_FORMULA.items()]
    others = [f"- {library} {name}: {reason}." for library, of in NOT_EXAMINED.items() for name, reason in of.items()]
    return "\n".join(
        [
            "Optimizers for which there is *none here* are held to what is true of every rule (P2 to P18):\n",
            *reasons,
            "",
            "Not examined:\n",
            *others,
            "",
        ]
    )


def _section(title: str, findings: Iterable[Finding]) -> str:
    said = [LIBRARIES.sub("", line.rstrip()) for finding in _once(findings) for line in str(finding).splitlines()]
    return "\n".join([f"### {title}", "", "```text", *said, "```", ""])


def _once(findings: Iterable[Finding]) -> Iterable[Finding]:
    """The findings, those that raised the same in the same place as one."""
    together: dict[tuple[str, str], list[Finding]] = {}
    for each in findings:
        together.setdefault((each.raised, each.reason) if each.raised else (each.property_id, ""), []).append(each)
    for first, *others in together.values():
        more = f" And so in {', '.join(each.property_id for each in others)}." if others else ""
        yield replace(first, statement=first.statement + more)


def _worst(worst: Iterable[WorstCase], backends: Sequence[str]) -> str:
    heads = [f"{start}, {backend}" for start in STARTS for backend in backends]
    lines = ["## Worst cases", "", ERRORS]
    if "cuda" not in backends:
        lines += ["CUDA: not measured; this was written on a machine without a GPU."]
    lines += ["", f"| optimizer | dtype | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for each in worst:
        ratios = [f"{each.ratios[backend][start]:.3f}" for start in STARTS for backend in backends]
        lines.append(f"| {each.variant.title} | {each.dtype} | {' | '.join(ratios)} |")
    return "\n".join([*lines, ""])
