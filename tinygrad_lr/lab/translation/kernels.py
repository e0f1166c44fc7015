"""Whole kernels in JavaScript: objects that make a step on typed arrays, and the arrays that they take.

The bits are those of the CPU's loops, but for the bits of a NaN, which IEEE 754 leaves open: Adam's short states keep
them as they come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .intrinsics import ARRAYS
from .kinds import FLOAT32, Array, Kind
from .syntax import NotTranslatable
from .typed import Translator

if TYPE_CHECKING:
    from tinygrad_lr.kernels._kernel import Kernel

__all__ = ["ARRANGING", "layout_of", "object_of", "translated_kernel"]

LARGEST = 2**31 - 1
ARRANGING = f"""\
const ARRAYS = {{ {", ".join(f"{dtype}: {name}" for dtype, name in ARRAYS.items())} }};
function arrangedArray({{ dtype, shape, values }}) {{
  const size = shape.reduce((product, side) => product * side, 1);
  const data = values === null ? new ARRAYS[dtype](size) : new ARRAYS[dtype](values);
  return shape.length < 2 ? data : {{ data, rows: shape[0], columns: shape[1] }};
}}
"""


def translated_kernel(translator: Translator, kernel: Kernel) -> dict[str, str]:
    """A kernel as the members of a JavaScript object; the functions that it calls are in the translator's text.

    Args:
        translator: keeps the functions of all kernels.
        kernel: any kernel, for parameters of float32.

    Returns:
        The expressions of `states`, `stored`, `scalars`, `layout` and `step`: names; of each state its dtype and whose
        entries it has; names; names; and `step(arrays, scalars)`, which updates in place. The arrays are param, grad,
        the states and the layout's; the scalars an array of float32 numbers, in the order of their names.

    Raises:
        NotTranslatable: something in the kernel has no translation.

    Example:
        >>> from tinygrad_lr.optim.optimizer import kernels
        >>> print(object_of(translated_kernel(Translator(), kernels("sgd")["plain"])))
        {
          states: [],
          stored: [],
          scalars: ["lr", "sign", "weight_decay", "shrink"],
          layout: [],
          step: (arrays, scalars) => sgd_cpu0(...arrays, ...scalars),
        }
    """
    layout = laid_out(kernel, [(2,) * kernel.dimensions])
    kinds: list[Kind] = [Array("float32"), Array("float32")]
    kinds += [Array(dtype) for dtype, _ in stored_in(kernel)]
    kinds += [Array(array.dtype.name, array.ndim) for array in layout.values()]
    given = ["param", "grad", *kernel.states, *layout, *kernel.scalars]
    name, _ = translator.function(kernel.by_loops, [*kinds, *[FLOAT32] * len(kernel.scalars)], given)
    return {
        "states": json.dumps(kernel.states),
        "stored": json.dumps(stored_in(kernel)),
        "scalars": json.dumps(kernel.scalars),
        "layout": json.dumps(list(layout)),
        "step": f"(arrays, scalars) => {name}(...arrays, ...scalars)",
    }


def object_of(members: Mapping[str, str]) -> str:
    """An object of JavaScript with some members."""
    return "{\n" + "".join(f"  {name}: {text},\n" for name, text in members.items()) + "}"


def stored_in(kernel: Kernel) -> list[tuple[str, str]]:
    """The dtype of each state, and of what it has entries: "elements", a number of elements, or a shape's function."""
    found = []
    for key in kernel.states:
        dtype, form = kernel.stored(key)
        whose = "elements" if form == 1 else getattr(form, "__name__", str(form))
        found.append((dtype or "float32", whose))
    return found


def laid_out(kernel: Kernel, shapes: Sequence[tuple[int, ...]]) -> dict[str, np.ndarray[Any, Any]]:
    """What the loops of a kernel take after the states, by name, for parameters that lie end to end."""
    blocks = {form for key in kernel.states if isinstance(form := kernel.stored(key)[1], int) and form > 1}
    if blocks:
        (block,) = blocks
        ends = np.cumsum([0, *(prod(shape) for shape in shapes)])
        starts = [np.arange(low, high, block) for low, high in zip(ends, ends[1:], strict=False)]
        return {"starts": np.append(np.concatenate(starts), ends[-1])}
    if kernel.layout is None:
        return {}
    arrays = kernel.layout(shapes, np.dtype(np.float32))
    return dict(zip(kernel.layout_names, arrays, strict=True))


def layout_of(kernel: Kernel, shapes: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """What a kernel takes besides param and grad, for parameters of some shapes that lie end to end: plain data.

    Args:
        kernel: any kernel, for parameters of float32.
        shapes: those of the parameters, of as many dimensions as the kernel asks for.

    Returns:
        `{"states": [...], "layout": [...]}`, in the order of the arrays of `step`. Each is `{"dtype", "shape",
        "values"}`, and the values are None where it begins with zeros. `arrangedArray(each)` (ARRANGING) makes the
        array. States are flat, and an optimizer may fill them with something else (`initial_state`).

    Raises:
        NotTranslatable: there are too many elements for whole numbers of 32 bits.

    Example:
        >>> from tinygrad_lr.optim.optimizer import kernels
        >>> layout_of(kernels("novograd")["plain"], [(1, 2)])["states"]  # doctest: +NORMALIZE_WHITESPACE
        [{'dtype': 'float32', 'shape': [2], 'values': None}, {'dtype': 'float64', 'shape': [1], 'values': None}]
    """
    states = [
        arranged(np.zeros(size_of(kernel, key, shapes), dtype))
        for key, (dtype, _) in zip(kernel.states, stored_in(kernel), strict=True)
    ]
    return {"states": states, "layout": [arranged(array) for array in laid_out(kernel, shapes).values()]}


def size_of(kernel: Kernel, key: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """How many entries a state has for parameters of some shapes."""
    form = kernel.stored(key)[1]
    if isinstance(form, int):
        return sum(-(-prod(shape) // form) for shape in shapes)
    return sum(prod(own) for shape in shapes if (own := form(shape)) is not None)


def arranged(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array as plain data."""
    if array.dtype.kind in "iu" and array.size and array.max() > LARGEST:
        raise NotTranslatable(f"a layout with the number {array.max()}: JavaScript's arrays have 32 bits for it")
    values = array.reshape(-1).tolist() if array.any() else None
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}
