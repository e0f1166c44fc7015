"""The difference matrix: every optimizer of torch, optax, keras and ours, held to the formulas by the kit.

    python -m tinygrad_lr.verify.conformance docs/conformance.md        (needs the extra `peers`; takes minutes)

Nothing of what the document says is written down here but the rows: which dialect an optimizer equals, which properties
it breaks and the smallest examples are found by the checks. Next: conformance_rows.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr.files import write_text

from . import adapters
from .adapters.keras import keras_library
from .conformance_rows import NOT_EXAMINED, OURS, SCHEDULES, Row, rows
from .examples import KINDS
from .formulas import FAMILIES
from .guard import DIALECT_OPTIONS
from .kit import check_optimizer
from .kit_schedules import check_schedule
from .properties import PROPERTIES
from .report import Finding, Report
from .search import Search
from .specification import Specification, spec


@dataclass(frozen=True)
class Entry:
    """What was found about one optimizer."""

    row: Row
    equals: tuple[str, ...]
    """The dialects whose formula it computes."""
    report: Report
    """All properties in float32, against the first of `equals`, or against the library's own dialect."""
    precision: str = "float64"
    """The dtype in which `equals` was found."""


def maker(row: Row) -> Any:
    """The maker of a row."""
    if row.library == "tinygrad_lr":
        from tinygrad_lr import optim

        made = adapters.own(getattr(optim, row.name), dialect=row.dialect)
        asked = frozenset(FAMILIES[row.formula].defaults) - set(DIALECT_OPTIONS)  # the dialect is what is examined
        return adapters.PeerMaker(lambda params, settings: made(params, **settings), f"tinygrad_lr.optim.{row.name}",
                                  {name: name for name in asked}, asked, {}, missing_gradients=True)  # fmt: skip
    module = {"torch": "torch.optim", "optax": "optax", "keras": "keras.optimizers"}[row.library]
    if row.library == "keras":
        keras_library()
    made = getattr(adapters, row.library)(attrgetter(row.name)(import_module(module)), **row.fixed)
    made.dimensions = row.dimensions
    return made


def dialects(row: Row) -> dict[str, Specification]:
    """The dialects of a row's formula, those that compute the same only once, the library's own first."""
    found: dict[str, Specification] = {}
    order = sorted(FAMILIES[row.formula].dialects, key=lambda name: name != row.dialect)
    for name in order:
        claim = spec(row.formula, dialect=name, **row.settings)
        shared = spec(row.formula, dialect=order[0], **row.settings)
        values = {key: shared[key] for key in shared.all_names if key in NUMBERS}
        found[name] = claim.having(**values)
    return found


# Hyperparameters that are numbers to choose, and no part of a dialect's form.
NUMBERS = ("lr", "betas", "eps", "weight_decay", "alpha", "rho", "momentum", "lr_decay", "initial_accumulator_value",
           "etas", "step_sizes", "lambd", "t0", "momentum_decay", "dampening", "trust_coefficient", "beta2_decay",
           "epsilons", "clip_threshold", "beta", "l1", "l2", "min_norm", "initial_distance", "coefficients",
           "iterations")  # fmt: skip


def examine(row: Row, examples: int = 1) -> Entry:
    """Which formula an optimizer computes, and which properties it breaks."""
    make = maker(row)
    if not row.formula:
        return Entry(row, (), check_optimizer(make, hyperparameters={"lr": 0.125}, max_examples=examples))
    claims = dialects(row)
    for dtype in ("float64", "float32"):
        equal = [name for name, claim in claims.items() if equals(make, claim, dtype)]
        if equal:
            break
    claim = claims[equal[0] if equal else next(iter(claims))]
    return Entry(row, tuple(equal), check_optimizer(make, claim, max_examples=examples), dtype)


def equals(make: Any, claim: Specification, dtype: str = "float64") -> bool:
    """Whether every step is the formula's, for ordinary gradients, with its settings or what float32 holds of them.

    Only a bound that tells a rate of 1% more apart counts.
    """
    for settings in ({"lr": 0.75}, _in_float32(claim)):
        asked = claim.having(**settings)
        if _follows(make, asked, dtype):
            return not _follows(_longer(asked, make.dimensions), asked, dtype)
    return False


def _longer(claim: Specification, dimensions: int) -> Any:
    """A maker of the formula with a rate of 1% more."""
    honest, names = adapters.naive(claim.name), {name: name for name in claim.all_names}
    longer = adapters.PeerMaker(lambda params, given: honest(params, **{**given, "lr": 1.01 * given["lr"]}), "",
                                names, frozenset(names), {}, missing_gradients=True)  # fmt: skip
    longer.dimensions = dimensions
    return longer


def _follows(make: Any, claim: Specification, dtype: str) -> bool:
    search = Search(make, {}, claim, np.dtype(dtype), 0, 0)
    search.fixed = [case for kind, case in zip(KINDS, search.fixed, strict=True) if kind not in ("tiny", "huge")]
    return search.look(PROPERTIES["P1"]).outcome == "passed"


def _in_float32(claim: Specification) -> dict[str, Any]:
    """The hyperparameters rounded to float32: keras keeps them so, whatever the parameters' dtype."""
    found: dict[str, Any] = {}
    for name in NUMBERS:
        if name in claim.all_names:
            value = claim[name]
            found[name] = tuple(float(np.float32(v)) for v in value) if isinstance(value, tuple) else float(
                np.float32(value))  # fmt: skip
    return {**found, "lr": 0.75}


def worst_ratios(examples: int = 200) -> Iterable[tuple[str, str, str, float]]:
    """Our kernels: (optimizer, dtype, backend, the largest error over bound that a search driven by it has found)."""
    from tinygrad_lr import optim

    for name, cls in optim.OPTIMIZERS.items():
        for dtype in ("float32", "float64"):
            for backend in ("numpy", "numba"):
                search = Search(adapters.own(cls, backend=backend), {}, spec(name), np.dtype(dtype), 0, examples)
                finding = search.look(PROPERTIES["P1"])
                assert finding.outcome == "passed", finding
                yield name, dtype, backend, search.worst


def document(entries: list[Entry], more: list[tuple[str, Report]], worst: Iterable[Any]) -> str:
    """The whole document."""
    libraries = ("torch", "optax", "jax", "keras", "numpy")
    lines = [
        "# Conformance",
        "",
        "Written by `python -m tinygrad_lr.verify.conformance docs/conformance.md`, with "
        + ", ".join(f"{name} {version(name)}" for name in libraries) + ".",
        "",
        "*Equals* is found in float64, on gradients that neither vanish nor overflow when squared and with settings",
        "that float32 holds: the dialects whose formula the optimizer computes, every step inside the derived bound,",
        "which must be narrow enough to tell a rate of 1% more apart. What computes some of its scalars in float32",
        "whatever the parameters' dtype can equal a formula in float32 alone.",
        "*Breaks* lists the properties of [the kit](verify.md) that fail in float32 against the first of these",
        "dialects (or, where it equals none, against the library's own). What each says, and the smallest example,",
        "stands below the table.",
        "",
        "| library | optimizer | formula | equals | breaks |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for entry in entries:
        row = entry.row
        broken = ", ".join(each.property_id for each in entry.report.failures) or "nothing"
        equals = ", ".join(entry.equals) or ("**none**" if row.formula else "")
        equals += " (in float32 alone)" if entry.equals and entry.precision == "float32" else ""
        lines.append(f"| {row.library} | {row.title} | {row.formula or 'none here'} | {equals} | {broken} |")
    lines += ["", "Optimizers for which there is *none here* are held to what is true of every rule (P2 to P18).",
              "Not examined:", ""]  # fmt: skip
    lines += [f"- {library} {name}: {reason}." for library, of in NOT_EXAMINED.items() for name, reason in of.items()]
    lines += ["", "## Epsilon and schedules", ""]
    for title, report in more:
        lines += [f"### {title}", "", "```text", *_lines(report.failures or report.findings), "```", ""]
    lines += ["## Worst cases", "", "The largest error over bound of a step of our kernels, in a search driven by it.",
              "", "| optimizer | dtype | backend | error / bound |", "|---|---|---|---|"]  # fmt: skip
    lines += [f"| {name} | {dtype} | {backend} | {ratio:.3f} |" for name, dtype, backend, ratio in worst]
    lines += ["", "## Failures, with the smallest examples", ""]
    for entry in entries:
        if entry.report.failures:
            lines += [f"### {entry.row.library}: {entry.row.title}", "", "```text"]
            lines += [*_lines(entry.report.failures), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _lines(findings: list[Finding]) -> list[str]:
    return [line.rstrip() for finding in findings for line in str(finding).splitlines()]


def epsilon_of_keras() -> Report:
    """keras's Adam held against torch's form, with an epsilon that can be seen."""
    row = Row("keras", "Adam", "adam", dialect="keras")
    claim = spec("adam", dialect="torch", eps=0.1, lr=0.125)
    return check_optimizer(maker(row), claim, max_examples=0, properties=["P1"])


def schedule_reports() -> list[tuple[str, Report]]:
    """torch's schedulers, read epoch by epoch."""
    return [
        (title, check_schedule(build(), total_steps=steps, cycles=cycles)) for title, build, steps, cycles in SCHEDULES
    ]


def main(arguments: list[str]) -> int:
    """Examine every row and write the document."""
    if len(arguments) != 1:
        print("usage: python -m tinygrad_lr.verify.conformance FILE.md", file=sys.stderr)
        return 2
    entries = []
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:  # a process for each processor
        for entry in pool.map(examine, [*rows(), *OURS]):
            entries.append(entry)
            row = entry.row
            print(f"{row.library} {row.title}: {', '.join(entries[-1].equals) or 'none'}; "
              f"{', '.join(each.property_id for each in entries[-1].report.failures)}", file=sys.stderr)  # fmt: skip
    more = [("keras Adam against torch's form, eps = 0.1", epsilon_of_keras()), *schedule_reports()]
    write_text(Path(arguments[0]), document(entries, more, worst_ratios()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
