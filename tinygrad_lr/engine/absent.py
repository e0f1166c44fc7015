"""What torch's Tensors have and ours have not, and what to write instead: `Tensor.__getattr__` says it.

Also some names of NumPy's arrays. Next: `tensor.py`.
"""

from __future__ import annotations

__all__ = ["remedy"]

_MATMUL, _COMPARE = "write a @ b", "write a == b, a != b, a < b, a <= b, a > b or a >= b"
_NEW = "write zeros(shape, dtype=t.dtype), ones(...) or tensor(...)"
_CAST = "write .to('float32'), .to('float64'), .to('int64') or .to('bool')"
_HALF = "Tensors hold float32, float64, int64 and bool; write .float() or .double()"
_NO_HOOKS = "there are no hooks; change .grad after backward(), or compute with the value where it is made"

ABSENT: dict[str, str] = {
    **dict.fromkeys(("mm", "mv", "bmm", "inner"), _MATMUL),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "equal"), _COMPARE),
    **dict.fromkeys(("new_zeros", "new_ones", "new_tensor", "new_full", "new_empty"), _NEW),
    **dict.fromkeys(("type", "int", "bool", "short", "char", "byte", "astype"), _CAST),
    **dict.fromkeys(("half", "bfloat16", "cfloat", "cdouble"), _HALF),
    **dict.fromkeys(("register_hook", "register_post_accumulate_grad_hook"), _NO_HOOKS),
    "retain_grad": "only leaves keep gradients; cut there: y = y.detach().requires_grad_(), and go on with y",
    "grad_fn": "print the Tensor, which names the op that computed it; .is_leaf says whether there is one",
    "is_cuda": "write t.device == 'cuda'",
    "get_device": "write t.device",
    "expand": "arithmetic broadcasts; write t + zeros(shape)",
    "repeat": "arithmetic broadcasts; write t + zeros(shape), then .reshape(...)",
    "repeat_interleave": "write t[indices], with an index for each row of the result",
    "index_select": "write t[indices], or t[:, indices]",
    "masked_select": "write t[mask]",
    "gather": "write t[rows, columns]",
    "masked_fill": "write functional.where(mask, value, t)",
    "softmax": "write e = (t - t.max(1, keepdims=True)).exp(), then e / e.sum(1, keepdims=True)",
    "chunk": "write slices, t[:n] and t[n:]",
    "split": "write slices, t[:n] and t[n:]",
    "stride": "write t.numpy().strides, in bytes",
    "is_contiguous": "write t.numpy().flags.c_contiguous",
    "storage": "write t.numpy(), which shares the memory",
    "data_ptr": "write t.numpy().ctypes.data",
    "element_size": "write t.dtype.itemsize",
    "itemsize": "write t.dtype.itemsize",
    "nbytes": "write t.numpy().nbytes",
    "pin_memory": "write the Tensor itself: there is no pinned memory",
    "share_memory_": "copy t.numpy() into shared memory",
    "copy": "write .clone()",
    "ravel": "write .reshape(-1)",
    "is_floating_point": "write t.dtype.kind == 'f'",
    "logical_not": "write t == False",
    "isnan": "write t != t",
}
_IN_PLACE = (
    "in place there are t += x (and - * / **), t[...] = x, and zero_, fill_, copy_, add_, sub_, mul_, div_; else write "
    "t.data = values"
)


def remedy(name: str) -> str:
    """What to write instead of a method or attribute that is not there; empty where nothing is known of it.

    Example:
        >>> remedy("mm")
        'write a @ b'
    """
    in_place = name.endswith("_") and not name.startswith("_")
    return ABSENT.get(name, _IN_PLACE if in_place else "")
