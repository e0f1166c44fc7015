"""All optimizer kernels, as the package lists them: the files in kernels/updates and the rows of optim.OPTIMIZERS.

Every table of the kernels' tests is made from here, so that a new kernel is in all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from kernel_mutation import KERNELS, loaded

from tinygrad_lr import optim
from tinygrad_lr.kernels._factored import FactoredKernel
from tinygrad_lr.kernels._kernel import Kernel
from tinygrad_lr.kernels._matrices import MatrixKernel
from tinygrad_lr.kernels._measured import MeasuredKernel

# Zeros, both signs and subnormal numbers: what separates the rules of signs that normal draws take for equal.
SPECIAL = (0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40)


def tables() -> dict[str, dict[str, Kernel]]:
    """The table KERNELS of every file that has one, by the file's name."""
    files = [path.stem for path in sorted((KERNELS / "updates").glob("[!_]*.py"))]
    names = dict.fromkeys([*files, *(cls.kernels for cls in optim.OPTIMIZERS.values())])
    return {name: loaded(name).KERNELS for name in names if hasattr(loaded(name), "KERNELS")}


def of_rules() -> dict[str, dict[str, Kernel]]:
    """The tables of kernels whose states have the parameter's dtype. They run everywhere, by their rules alone."""
    return {name: table for name, table in tables().items() if {kind_of(each) for each in table.values()} == {"rule"}}


def of_short_states() -> list[str]:
    """The files of kernels whose states have fewer bits."""
    return [name for name, table in tables().items() if "short" in map(kind_of, table.values())]


def of_measures() -> dict[str, dict[str, Any]]:
    """The tables of kernels that measure whole parameters (kernels/_measured.py)."""
    return {name: table for name, table in tables().items() if "measured" in map(kind_of, table.values())}


def of_factors() -> dict[str, dict[str, Any]]:
    """The tables of kernels that keep something for rows and columns (kernels/_factored.py)."""
    return {name: table for name, table in tables().items() if "factored" in map(kind_of, table.values())}


def of_matrices() -> dict[str, dict[str, Any]]:
    """The tables of kernels that orthogonalise matrices (kernels/_matrices.py)."""
    return {name: table for name, table in tables().items() if "matrices" in map(kind_of, table.values())}


def kind_of(kernel: Any) -> str:
    """By which tests a kernel is examined: of a rule of elements, of short states, or of one of the other kinds."""
    for kind, cls in (("matrices", MatrixKernel), ("measured", MeasuredKernel), ("factored", FactoredKernel)):
        if isinstance(kernel, cls):
            return kind
    return "short" if kernel.storage else "rule"


def rows() -> dict[str, Kernel]:
    """Every kernel of a rule, by file and key."""
    return {f"{name}-{key}": kernel for name, table in of_rules().items() for key, kernel in table.items()}


def optimizers_of(name: str) -> dict[str, Any]:
    """The rows of optim.OPTIMIZERS that use a file."""
    return {row: cls for row, cls in optim.OPTIMIZERS.items() if cls.kernels == name}


def lacks(name: str) -> list[str]:
    """What a file of kernels lacks, each in a sentence."""
    table = loaded(name).KERNELS
    found = [] if optimizers_of(name) else [f"no optimizer of optim.OPTIMIZERS uses kernels/updates/{name}.py"]
    for key, kernel in table.items():
        where = f"{name}.KERNELS[{key!r}]"
        if kernel.rule is None:
            found.append(f"{where} has no rule")
            continue
        if kernel.rule.__module__ != loaded(name).__name__:
            found.append(f"{where} takes its rule from {kernel.rule.__module__}; write it in the file itself")
        if not kernel.scalars:
            found.append(f"the rule of {where} takes no scalar after {len(kernel.states)} states")
        elif "sign" not in kernel.scalars:
            found.append(f"the rule of {where} takes no scalar 'sign', which multiplies the gradient")
    return found


def drawn(kernel: Kernel, size: int, dtype: Any, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Arrays and scalars in the ranges that optimizers give: states that are roots' arguments are not negative."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(size).astype(dtype) for _ in range(2 + len(kernel.states))]
    for state in arrays[2:]:
        np.abs(state, out=state)
    return arrays, rng.uniform(0.1, 0.9, len(kernel.scalars)).astype(dtype)


def special(kernel: Kernel, dtype: Any, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """The same where parameter and gradient have every pair of SPECIAL, with all states zero, and with drawn ones."""
    pairs = len(SPECIAL) ** 2
    arrays, scalars = drawn(kernel, 2 * pairs, dtype, seed)
    arrays[0][:] = np.tile(np.repeat(SPECIAL, len(SPECIAL)), 2)
    arrays[1][:] = np.tile(SPECIAL, 2 * len(SPECIAL))
    for state in arrays[2:]:
        state[:pairs] = 0
    return arrays, scalars
