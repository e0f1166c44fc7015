"""A matrix kernel: an update that orthogonalises a whole matrix by Newton-Schulz iterations, as Muon's.

    buffer, x, y, z, w = measure(param, grad, buffer, 0, *scalars)                           for each element
    size, scale = decide(sum of x y, rows, columns, *scalars)                                for each matrix, in float64
    x, buffer = begin(x, grad, buffer, size, *scalars)                                       for each element
    count times: A = X X^T, B = polynomial(A A, A, *scalars), X = advance(X, B X, *scalars)  for each matrix
    param, = rule(param, x, scale, *scalars)                                                 for each element

`count` is one of the scalars. The sum is that of _measured.py, in float64. A matrix with more rows than columns is
taken from its other side, A = X^T X and X B, which are the numbers of its transpose in the same order.

The sums of products run in the order of their index, by the loops of ops/matmul.py and ops/linear.py and over NumPy
arrays: the same bits on the CPU and by NumPy, and on a GPU but for its fused multiply-adds. A product of more than
LARGE multiplications goes to BLAS on the CPU, which adds in an order of its own. An eager step calls NumPy's, on both
backends, so that the bits agree there too; compiled training calls SciPy's, by Numba's np.dot. No bit depends on the
number of this package's threads. Next: updates/muon.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from . import _run
from ._jit import COMPILER_IS_OFF, bound, compiled, on_gpu, over_arrays, uncompiled
from ._kernel import Kernel, arguments_of, refuse_other_scalars
from ._measured import MeasuredKernel, measure1, measured_numpy, measured_on_cpu, measured_on_gpu
from .ops import linear, matmul

__all__ = ["LARGE", "MatrixKernel"]

LARGE = 30_000  # multiplications: by loops they take about as long as the calls of NumPy that make a product

# A kernel binds these names in its copies of the functions below.
rule = measured = decided = begun = orthogonalised = applied = gram_of = multiply = polynomials = advanced = None
count_at = 0


def decided_on_cpu(first, last, firsts, sums, shapes, factors, *scalars):
    for p in range(first, last):
        total = 0.0
        for c in range(firsts[p], firsts[p + 1]):
            total += sums[c, 0]
        factors[p, 0], factors[p, 1] = rule(total, shapes[p, 0], shapes[p, 1], *scalars)


# --- products: of two matrices, and A = X X^T, or X^T X, for which there is a scratch of the transposed shape ------


@compiled
def is_large(out, inner):
    """Whether a product of so many terms goes to BLAS."""
    return out.size * inner > LARGE


@compiled
def gram_by_loops(x, scratch, a):
    if x.shape[0] > x.shape[1]:
        matmul.tn(x, x, a)
    else:
        matmul.nt(x, x, scratch, a)


@compiled
def gram_compiled(x, scratch, a):
    if not is_large(x, a.shape[0]):
        gram_by_loops(x, scratch, a)
    elif x.shape[0] > x.shape[1]:
        matmul.tn_blas(x, x, a)
    else:
        matmul.nt_blas(x, x, a)


@compiled
def multiply_compiled(a, b, out):
    if is_large(out, a.shape[1]):
        matmul.nn_blas(a, b, out)
    else:
        matmul.nn(a, b, out)


def multiply_numpy(a, b, out):
    """By loops, the additions of `matmul.nn` in its order. A A is taken for A A^T, of which BLAS computes a half."""
    if is_large(out, a.shape[1]):
        np.matmul(a, b.T if b is a else b, out=out)
        return
    out[:] = 0
    for k in range(a.shape[1]):
        out += a[:, k, None] * b[k]


def gram_numpy(x, scratch, a):
    if x.shape[0] > x.shape[1]:
        multiply_numpy(x.T, x, a)
    else:
        multiply_numpy(x, x.T, a)


def gram_eager(x, scratch, a):
    """Beside compiled loops, with NumPy's BLAS."""
    (gram_numpy if is_large(x, a.shape[0]) else gram_by_loops)(x, scratch, a)


def multiply_eager(a, b, out):
    (multiply_numpy if is_large(out, a.shape[1]) else matmul.nn)(a, b, out)


def gram_cuda(x, scratch, a):
    zero, no_bias = x.dtype.type(0), x.reshape(x.size)[:0]
    if x.shape[0] > x.shape[1]:
        linear.weight_grad_gpu.launch(a.size, (x, x, x.shape[0], zero, a.reshape(1, *a.shape)))
    else:
        linear.forward_gpu.launch(a.size, (x, x, no_bias, zero, a))


def multiply_cuda(a, b, out):
    linear.input_grad_gpu.launch(out.size, (a, b, a.dtype.type(0), out))


PRODUCTS = {
    "loops": (gram_by_loops, matmul.nn),
    "compiled": (gram_compiled, multiply_compiled),
    "numba": (gram_eager, multiply_eager),
    "numpy": (gram_numpy, multiply_numpy),
    "cuda": (gram_cuda, multiply_cuda),
}


# --- a whole step -------------------------------------------------------------------------------------------------


@compiled
def parts(room, rows, columns):
    """The room of a matrix: X, B X, A and B."""
    size, side = rows * columns, min(rows, columns)
    end = 2 * size + side * side
    return (
        room[:size].reshape(rows, columns),
        room[size : 2 * size].reshape(rows, columns),
        room[2 * size : end].reshape(side, side),
        room[end : end + side * side].reshape(side, side),
    )


def iterated(x, product, a, b, *scalars):
    """The iterations, in x."""
    rows, columns = x.shape
    scratch = product.reshape(columns, rows)
    flat_x, flat_product = x.reshape(x.size), product.reshape(x.size)
    flat_a, flat_b = a.reshape(a.size), b.reshape(a.size)
    left, right = (x, b) if rows > columns else (b, x)
    for _ in range(int(scalars[count_at])):
        gram_of(x, scratch, a)
        multiply(a, a, b)
        polynomials(flat_b, flat_a, *scalars)
        multiply(left, right, product)
        advanced(flat_x, flat_product, *scalars)


def whole(param, grad, state, starts, owners, firsts, sums, factors, zeros, shapes, room, most, *scalars):
    """All passes: param, grad, the state, the layout's arrays and scalars."""
    measured(0, owners.size, starts, owners, sums, zeros, param, grad, state, *scalars)
    decided(0, zeros.size, firsts, sums, shapes, factors, *scalars)
    for p in range(zeros.size):
        low, high = starts[firsts[p]], starts[firsts[p + 1]]
        if low < high:
            begun(room[: high - low], grad[low:high], state[low:high], factors[p, 0], *scalars)
            x, product, a, b = parts(room, shapes[p, 0], shapes[p, 1])
            orthogonalised(x, product, a, b, *scalars)
            applied(param[low:high], room[: high - low], factors[p, 1], *scalars)


# --- the kernel ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MatrixKernel(Kernel):
    """One update of whole matrices: see the top of this file. It has one state, and a scalar named "count".

    Args:
        rule: the scalar rule of the last pass.
        states: the name of the state in a state_dict.
        measure, decide, begin, polynomial, advance: the other rules. All take the same scalars.
    """

    dimensions: ClassVar[int] = 2
    layout_names: ClassVar[tuple[str, ...]] = (*MeasuredKernel.layout_names, "shapes", "room", "most")

    measure: Callable[..., Any] = field(kw_only=True)
    decide: Callable[..., Any] = field(kw_only=True)
    begin: Callable[..., Any] = field(kw_only=True)
    polynomial: Callable[..., Any] = field(kw_only=True)
    advance: Callable[..., Any] = field(kw_only=True)

    def __post_init__(self) -> None:
        refuse_other_scalars(self.scalars, self.measure, self.decide, self.begin, self.polynomial, self.advance)

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The names of the scalar arguments: those that follow param, x and the scale."""
        return arguments_of(self.rule)[3:]

    def layout(self, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]) -> list[np.ndarray[Any, Any]]:
        """What the loops take after the state, for matrices of some shapes that lie end to end.

        The chunks and what is measured, as in _measured.py; each matrix's rows and columns; room for X, B X, A and B of
        the largest matrix; and of how many multiplications a product is at most.
        """
        sides = [min(shape) for shape in shapes]
        sizes = [rows * columns for rows, columns in shapes]
        return [
            *MeasuredKernel.laid_out(shapes, dtype),
            np.array(shapes, np.int64),
            np.zeros(max(2 * size + 2 * side * side for size, side in zip(sizes, sides, strict=True)), dtype),
            np.array([max(size * side for size, side in zip(sizes, sides, strict=True))]),
        ]

    # Its loops.

    @cached_property
    def passes(self) -> dict[str, Kernel]:
        """What goes element by element: kernels of their own, of which two take a number before the scalars."""
        names = self.scalars
        return {
            "begun": Kernel(self.begin, self.states, scalar_names=("size", *names)),
            "polynomials": Kernel(self.polynomial, (), scalar_names=names),
            "advanced": Kernel(self.advance, (), scalar_names=names),
            "applied": Kernel(self.rule, (), scalar_names=("scale", *names)),
        }

    @cached_property
    def _measured_element(self) -> Any:
        return self._compiled(measure1, "measure", rule=self.measure)

    @cached_property
    def measured(self) -> Any:
        """The first pass over some chunks, on the CPU."""
        return self._compiled(measured_on_cpu, "measured", element=self._measured_element)

    @cached_property
    def measured_gpu(self) -> on_gpu:
        """The first pass on CUDA: a thread for each chunk."""
        name = self._named("measured_gpu")
        return on_gpu(bound(measured_on_gpu, self.module, name, element=self._measured_element))

    @cached_property
    def decided(self) -> Any:
        """What is decided for some matrices, on the CPU."""
        return self._compiled(decided_on_cpu, "decided", rule=self.decide)

    @cached_property
    def cpu(self) -> Callable[..., None]:
        """A whole step on the CPU: `cpu(param, grad, state, *layout, *scalars)`, over flat arrays, in place."""
        has_blas = COMPILER_IS_OFF or find_spec("scipy") is not None  # Numba's np.dot calls SciPy's
        return self._whole("compiled" if has_blas else "loops")

    @cached_property
    def by_loops(self) -> Callable[..., None]:
        """A whole step by loops alone."""
        made: Callable[..., None] = self._whole("loops")
        return made

    def _whole(self, how: str) -> Any:
        loops = {name: each.cpu for name, each in self.passes.items()}
        iterations = self._compiled(iterated, f"iterated_{how}", **loops, **self._multiplying(how))
        names = {"measured": self.measured, "decided": self.decided, "orthogonalised": iterations}
        return self._compiled(whole, f"whole_{how}", **loops, **names)

    def _multiplying(self, how: str) -> dict[str, Any]:
        gram_of, multiply = PRODUCTS[how]
        return {"gram_of": gram_of, "multiply": multiply, "count_at": self.scalars.index("count")}

    # How they run.

    @cached_property
    def run(self) -> Callable[..., None]:
        """Makes a step on arrays, in place: `run(backend, arrays, scalars)`; see `step`."""
        return self.step

    def step(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """Make a step, in place.

        Args:
            backend: "numba", "numpy" or "cuda".
            arrays: param, grad and the state, flat, contiguous, and the layout.
            scalars: an array of them on the host, in the rule's order and the parameters' dtype.
        """
        if backend == "numba" and arrays[-1][0] <= LARGE:
            if self.interpreted:
                with np.errstate(all="ignore"):  # compiled code does not warn either
                    self.loop(*arrays, scalars)
            else:
                self.loop(*arrays, scalars)
        else:
            with np.errstate(all="ignore"):
                self.pass_by_pass(backend, arrays, scalars)

    def pass_by_pass(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """A step of which each pass over a matrix, and each product, is a call of its own.

        On CUDA the sums and the shapes come to the host, which decides.
        """
        if backend == "cuda":
            arrays = self._measured_on_device(arrays, scalars)
        self._passing[backend](*arrays, *scalars)

    def _measured_on_device(self, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> Sequence[Any]:
        """The first pass on CUDA; then the arrays, of which the small ones are on the host."""
        param, grad, state, starts, owners, firsts, sums, factors, zeros, shapes, room, most = arrays
        if owners.size:
            self.measured_gpu.launch(owners.size, (starts, owners, sums, zeros, (param, grad, state), tuple(scalars)))
        on_host = [each.copy_to_host() for each in (starts, owners, firsts, sums, factors, zeros, shapes)]
        return [param, grad, state, *on_host, room, most]

    @cached_property
    def _passing(self) -> dict[str, Callable[..., None]]:
        """`whole` as plain Python, whose functions run on a backend."""
        found: dict[str, Callable[..., None]] = {}
        for backend, measure in (("numba", self._threaded), ("numpy", self._over_numpy), ("cuda", _nothing)):
            loops = {name: partial(self._pass, backend, name) for name in self.passes}
            iterations = bound(iterated, self.module, "iterated", **loops, **self._multiplying(backend))
            names = {"measured": measure, "decided": self._decided_numpy, "orthogonalised": iterations}
            found[backend] = bound(whole, self.module, "whole", parts=uncompiled(parts), **loops, **names)
        return found

    def _pass(self, backend: str, name: str, *given: Any) -> None:
        kernel = self.passes[name]
        arrays = 2 + len(kernel.states)
        _run.run(kernel, backend, given[:arrays], np.array(given[arrays:]))

    def _threaded(self, first: int, last: int, *given: Any) -> None:
        _run.in_pieces(self.measured, last, given[4].size, given)

    def _over_numpy(self, first: int, last: int, *given: Any) -> None:
        starts, owners, sums, zeros, *rest = given
        measured_numpy(over_arrays(self.measure), starts, owners, sums, zeros, rest[:3], rest[3:])

    @cached_property
    def _decided_numpy(self) -> Callable[..., None]:
        return bound(decided_on_cpu, self.module, "decided", rule=uncompiled(self.decide))


def _nothing(*given: Any) -> None:
    """What is measured where it is measured already."""
