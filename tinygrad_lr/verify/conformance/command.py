"""The difference matrix: every optimizer of torch, optax, keras and ours, held to the formulas by the checks.

    python -m tinygrad_lr.verify.conformance docs/conformance.md  (needs the extra `peers`; takes some 10 minutes)

Nothing of what the document says is written down here but the rows: which dialect an optimizer equals, which properties
it breaks and the smallest examples are found by the checks. Next: equals.py, document.py.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from tinygrad_lr.files import write_text

from ..checks.optimizers import check_optimizer
from ..checks.schedules import check_schedule
from ..report import Report
from ..specification import Specification, spec
from .document import document
from .equals import examine, maker
from .optimizers import SCHEDULES, LibraryOptimizer, ours, peers
from .worst import DTYPES, backends, variants, worst_of

# What differs, and what would not be seen in the table: (title, the row, what it is held against, the dtype)
SECTIONS: list[tuple[str, LibraryOptimizer, Specification, str]] = [
    (
        "keras Adam against torch's form, eps = 0.1",
        LibraryOptimizer("keras", "Adam", "adam", dialect="keras"),
        spec("adam", dialect="torch", eps=0.1, lr=0.125),
        "float32",
    ),
    (
        "torch RAdam against the paper's threshold",
        LibraryOptimizer("torch", "RAdam", "radam", dialect="torch"),
        spec("radam", dialect="torch", threshold=4.0, lr=0.125),
        "float64",
    ),
    *(
        (
            f"{library} {name} against Loshchilov & Hutter's decay, whose lambda no rate multiplies",
            LibraryOptimizer(library, name, "adamw", dialect=library),
            spec("adamw", dialect=library, lr=0.125, weight_decay=0.25, decoupled_weight_decay="schedule"),
            "float64",
        )
        for library, name in (("torch", "AdamW"), ("optax", "adamw"))
    ),
    (
        "keras SGD in float64",
        LibraryOptimizer("keras", "SGD", "sgd", dialect="keras"),
        spec("sgd", dialect="keras", lr=0.125),
        "float64",
    ),
]


def section(optimizer: LibraryOptimizer, claim: Specification, dtype: str) -> Report:
    """P1 of an optimizer against another's formula."""
    return check_optimizer(maker(optimizer), claim, dtype=dtype, max_examples=0, properties=["P1"])


def schedule_reports() -> list[tuple[str, Report]]:
    """torch's schedulers, read epoch by epoch."""
    return [
        (title, check_schedule(build(), total_steps=steps, cycles=cycles)) for title, build, steps, cycles in SCHEDULES
    ]


def kept_compilations(folder: str) -> dict[str, str]:
    """Environment in which JAX compiles a shape once, on one thread: threads of its own stall beside other processes,
    for longer than a property may take."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_parallel_codegen_split_count=1".strip()
    always = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    return {"XLA_FLAGS": flags, "JAX_COMPILATION_CACHE_DIR": folder, **always}


def main(arguments: list[str]) -> int:
    """Examine every row and write the document."""
    if len(arguments) != 1:
        print("usage: python -m tinygrad_lr.verify.conformance FILE.md", file=sys.stderr)
        return 2
    entries = []
    with TemporaryDirectory() as folder, ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        os.environ.update(kept_compilations(folder))  # for the processes of the pool, one for each processor
        found = pool.map(worst_of, *zip(*((variant, dtype) for variant in variants() for dtype in DTYPES), strict=True))
        for entry in pool.map(examine, [*peers(), *ours()]):
            entries.append(entry)
            said = [", ".join(entry.equals) or "none", *filter(None, [entry.remark])]
            broken = ", ".join(each.property_id for each in entry.report.failures)
            print(f"{entry.optimizer.library} {entry.optimizer.title}: {'; '.join(said)}; {broken}", file=sys.stderr)
        worst = list(found)
    sections = [
        *((title, section(optimizer, claim, dtype)) for title, optimizer, claim, dtype in SECTIONS),
        *schedule_reports(),
    ]
    write_text(Path(arguments[0]), document(entries, sections, worst, backends()))
    return 0
