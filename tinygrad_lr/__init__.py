"""tinygrad_lr: a learning-rate laboratory on NumPy and Numba.

Each name here is imported at its first use (PEP 562), so that `import tinygrad_lr` and `tinygrad-lr --help` answer at
once. The first optimizer step imports Numba.

Read next: `engine/` for Tensors and gradients, `optim/` for optimizers, `schedules/` for learning rates over time.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_lr.explaining import explained_by
from tinygrad_lr.version import __version__ as __version__

if TYPE_CHECKING:
    from tinygrad_lr import backend, cuda, data, nn, optim, random, schedules, training, verify
    from tinygrad_lr import lab as lab
    from tinygrad_lr import race as race
    from tinygrad_lr import sklearn as sklearn
    from tinygrad_lr.compiled import CannotCompile, compile_step
    from tinygrad_lr.engine import (
        Tensor,
        enable_grad,
        float32,
        float64,
        from_numpy,
        int64,
        is_grad_enabled,
        no_grad,
        ones,
        set_grad_enabled,
        zeros,
    )
    from tinygrad_lr.engine import functional as functional
    from tinygrad_lr.engine.create import (
        arange,
        as_tensor,
        empty,
        empty_like,
        eye,
        full,
        full_like,
        linspace,
        ones_like,
        tensor,
        zeros_like,
    )
    from tinygrad_lr.engine.functional import *  # noqa: F403
    from tinygrad_lr.engine.gradcheck import GradcheckError, gradcheck
    from tinygrad_lr.kernels._run import get_num_threads, set_num_threads
    from tinygrad_lr.random import manual_seed, rand, rand_like, randint, randn, randn_like, randperm
    from tinygrad_lr.saving import load, save
    from tinygrad_lr.training import load_run, train_table

_CREATE = (
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
    "ones_like",
    "zeros_like",
)
_RANDOM = ("rand_like", "randint", "randn_like", "randperm")
_NAMED = {"double": "float64", "float": "float32", "long": "int64", "bool": "boolean"}  # torch's names of dtypes
_NUMBERS = {"e": math.e, "inf": math.inf, "nan": math.nan, "pi": math.pi}
_SUBMODULES = (
    "backend",
    "cuda",
    "data",
    "lab",
    "nn",
    "optim",
    "race",
    "random",
    "schedules",
    "sklearn",
    "training",
    "verify",
)
_MODULE_OF = {
    "Tensor": ".engine",
    "float32": ".engine",
    "float64": ".engine",
    "from_numpy": ".engine",
    "int64": ".engine",
    "enable_grad": ".engine",
    "is_grad_enabled": ".engine",
    "no_grad": ".engine",
    "set_grad_enabled": ".engine",
    "ones": ".engine",
    "tensor": ".engine.create",
    "zeros": ".engine",
    "gradcheck": ".engine.gradcheck",
    "GradcheckError": ".engine.gradcheck",
    "manual_seed": ".random",
    "rand": ".random",
    "randn": ".random",
    "get_num_threads": ".kernels._run",
    "set_num_threads": ".kernels._run",
    "CannotCompile": ".compiled",
    "compile_step": ".compiled",
    "load": ".saving",
    "save": ".saving",
    **dict.fromkeys(_CREATE, ".engine.create"),
    **dict.fromkeys(_RANDOM, ".random"),
    **dict.fromkeys(_NAMED, ".engine.dtypes"),
    "load_run": ".training",
    "train_table": ".training",
}
# Where the functions stand that are names of the package too, as torch has them: torch.where, torch.exp.
_FUNCTIONS = (".engine.functional", ".engine.functions")

__all__ = [
    "CannotCompile",
    "GradcheckError",
    "Tensor",
    "arange",
    "as_tensor",
    "backend",
    "compile_step",
    "cuda",
    "data",
    "empty",
    "empty_like",
    "enable_grad",
    "eye",
    "float32",
    "float64",
    "from_numpy",
    "full",
    "full_like",
    "functional",
    "get_num_threads",
    "gradcheck",
    "int64",
    "is_grad_enabled",
    "linspace",
    "load",
    "load_run",
    "manual_seed",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "optim",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "random",
    "randperm",
    "save",
    "schedules",
    "set_grad_enabled",
    "set_num_threads",
    "tensor",
    "train_table",
    "training",
    "verify",
    "zeros",
    "zeros_like",
]


def _explained(optimizer: Any, name: str, index: Any) -> Any:
    """What `Optimizer.explain` returns."""
    return import_module(".verify", __name__).explain_step(optimizer, name, index)


explained_by(_explained)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name == "functional":
        return import_module(".engine.functional", __name__)
    if name in _NUMBERS:
        return _NUMBERS[name]
    if name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name], __name__), _NAMED.get(name, name))
        globals()[name] = value
        return value
    if not name.startswith("_"):
        for module in _FUNCTIONS:
            functions = import_module(module, __name__)
            if name in functions.__all__:
                return getattr(functions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, those of functions too."""
    functions = [name for module in _FUNCTIONS for name in import_module(module, __name__).__all__]
    return sorted({*__all__, *_MODULE_OF, *_NUMBERS, *functions, "__version__"})
