"""`tinygrad-lr warmup` compiles ahead what later processes would compile, while a container's image is built, say.

Alone, it runs every kernel of an optimizer's step once on a single element, so that the kernel is compiled for the
arguments of a real step. Before a `train` command, it runs that training's first epoch and discards the result.
kernels/_cache.py and kernels/_store.py keep the machine code.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lr import backend
from tinygrad_lr.kernels import _cache, _run
from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.training.fitting import Diverged
from tinygrad_lr.training.progress import progress_bar
from tinygrad_lr.training.tables import models
from tinygrad_lr.training.tables.training import prepare

from .chosen import options_of, table_of
from .printing import say

if TYPE_CHECKING:
    from tinygrad_lr.kernels._kernel import Kernel

__all__ = ["calls", "warmup"]


def warmup(arguments: Namespace) -> int:
    """Compile what is not in the cache yet, and print how many functions that were.

    Args:
        arguments: where `before` is "train", those of `train`. Where it is None: `only` is a key of `OPTIMIZERS` (None:
            all of them), `only_dtype` "float32" or "float64" ("all", None: both), `state_dtype` one of Adam's or None.

    Raises:
        RuntimeError: nothing is compiled on this machine, or the machine code cannot be kept.
        ValueError: arguments that contradict each other, and those of `train` that cannot be used.
    """
    backend.require_compiler()
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "compiled kernels (cannot be|are not) "
        )  # an error below, with the same remedy
        said = _before_training(arguments) if arguments.before else _kernels_of_steps(arguments)
    if _cache.refusal:
        raise RuntimeError(f"what was compiled could not be kept ({_cache.refusal}); {_cache.REMEDY}")
    say(said)
    say(f"In {_cache.home()}")
    return 0


def _kernels_of_steps(arguments: Namespace) -> str:
    """Compile the loops that optimizers call from Python."""
    state_dtype = arguments.state_dtype or "float32"
    having = [name for name, kind in OPTIMIZERS.items() if state_dtype in kind.state_dtypes]
    if arguments.only and arguments.only not in having:
        raise ValueError(
            f"--state-dtype {state_dtype} belongs to {' and '.join(having)}, got --optimizer {arguments.only}; "
            "leave one out"
        )
    dtypes = ["float32", "float64"] if arguments.only_dtype in (None, "all") else [arguments.only_dtype]
    names = [arguments.only] if arguments.only else list(OPTIMIZERS)
    wanted = [each for dtype in dtypes for each in calls(names, np.dtype(dtype), state_dtype)]
    with progress_bar(True, len(wanted), 0, unit="kernel") as bar:
        compiled = sum(_misses_of(loop, call, bar) for loop, call in wanted)
    return f"{len(wanted)} kernels ({', '.join(dtypes)}): {compiled} compiled, {len(wanted) - compiled} already there"


def _before_training(arguments: Namespace) -> str:
    """Train the first epoch of a `train` command."""
    for option, value in (("optimizer", "only"), ("dtype", "only_dtype"), ("state-dtype", "state_dtype")):
        if getattr(arguments, value) is not None:
            raise ValueError(f"--{option} stands in front of `train`; put what the training is to have behind it")
    if arguments.resume is not None:
        raise ValueError("--resume trains; put the command that began the run behind `warmup`")
    if arguments.show_compiled:
        raise ValueError("--show-compiled prints and compiles nothing; leave it out, or `warmup`")
    if arguments.device != "cpu":
        raise ValueError(f"every process compiles its own CUDA loops, got --device {arguments.device}; leave it out")
    made = prepare(table_of(arguments), options_of(arguments))
    plan = made.plan
    with progress_bar(True, None, 0, "function") as bar, _compilations(bar) as compiled, suppress(Diverged):
        history = plan.fit(epochs=1, schedule=None)
        if history.interrupted:
            raise KeyboardInterrupt
    steps = f"{plan.steps} steps in {'machine code' if plan.compiled else 'Python'}"
    what = f"{models.in_words(plan.layers)}, {made.options.optimizer}, batches of {plan.loader.batch_size}, {steps}"
    return f"{what}: {len(compiled)} functions compiled" + ("" if compiled else ", all were there")


@contextmanager
def _compilations(bar: Any) -> Iterator[list[Any]]:
    """The functions that Numba compiles inside a `with` block. Those that it finds in the cache are not among them."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, each: Any) -> None:
            found.append(each.data["dispatcher"])

        def on_end(self, each: Any) -> None:
            bar.update()

    found: list[Any] = []
    with event.install_listener("numba:compile", Listener()):
        yield found


def calls(
    optimizers: list[str], dtype: np.dtype[Any], state_dtype: str = "float32"
) -> Iterator[tuple[Any, Callable[[], object]]]:
    """The compiled loops that some optimizers need, each with a call on one element."""
    classes = [OPTIMIZERS[name] for name in optimizers]
    kept = ("float32", state_dtype)
    found = {kernel.loop: kernel for each in classes for how in kept for kernel in each.every_kernel(how)}
    for loop, kernel in found.items():
        arrays = [np.ones(1, dtype) for _ in range(2)]
        arrays += [np.ones(1, kernel.stored(key)[0] or dtype) for key in kernel.states]
        if kernel.numpy_loop is not None:
            arrays.append(np.array([0, 1]))  # where the only block begins and ends
        arrays += kernel.layout([(1,) * kernel.dimensions], dtype) if kernel.layout else []
        scalars = np.ones(len(kernel.scalars), dtype)
        yield loop, partial(_made, kernel, arrays, scalars)
    if any(hasattr(each, "update_hessian") for each in classes):
        from tinygrad_lr.kernels.updates.hessian import AVERAGE

        given = [np.ones(1, dtype), np.ones(1, dtype)], np.ones(len(AVERAGE.scalars), dtype)
        yield AVERAGE.loop, partial(_made, AVERAGE, *given)
    from tinygrad_lr.kernels.updates.norm import chunk_sums

    yield chunk_sums, partial(_run.sum_of_squares, np.ones(1, dtype), 1.0)


def _made(kernel: Kernel, arrays: list[np.ndarray[Any, Any]], scalars: np.ndarray[Any, Any]) -> None:
    kernel.run("numba", arrays, scalars)


def _misses_of(loop: Any, call: Callable[[], object], bar: Any) -> bool:
    """Whether a call, which is made, compiled the loop."""
    before = sum(loop.stats.cache_misses.values())
    call()
    bar.update()
    return sum(loop.stats.cache_misses.values()) > before
