"""What torch's Tensors have and ours have not, and what to write instead: an attribute of Tensor each, which says it.

Also some names of NumPy's arrays. A `__getattr__` of Tensor would say it too, and make every attribute of every Tensor
slower: CPython reads none of them through its caches then. Next: `tensor.py`.
"""

from __future__ import annotations

__all__ = ["ABSENT", "Absent"]

_IN_PLACE = (
    "in place there are t += x (and - * / **), t[...] = x, and zero_, fill_, copy_, add_, sub_, mul_, div_; else write "
    "t.data = values"
)

_NEW = "write zeros(shape, dtype=t.dtype), ones(...) or tensor(...)"
_CAST = "write .to('float32'), .to('float64'), .to('int64') or .to('bool')"
_HALF = "Tensors hold float32, float64, int64 and bool; write .float() or .double()"
_NO_HOOKS = "there are no hooks; change .grad after backward(), or compute with the value where it is made"

_NAMES_IN_PLACE = """
abs_ acos_ acosh_ addcdiv_ addcmul_ addmm_ apply_ arccos_ arcsin_ arctan2_ arctan_ asin_ asinh_ atan2_ atan_ atanh_
bernoulli_ ceil_ clamp_ clamp_max_ clamp_min_ clip_ cos_ cosh_ cumprod_ cumsum_ detach_ divide_ eq_ erf_ exp2_ exp_
expm1_ exponential_ fill_diagonal_ float_power_ floor_ floor_divide_ fmod_ frac_ ge_ geometric_ gt_ index_add_
index_copy_ index_fill_ index_put_ le_ lerp_ log10_ log1p_ log2_ log_ log_normal_ lt_ map_ masked_fill_
masked_scatter_ multiply_ nan_to_num_ ne_ neg_ negative_ normal_ pow_ put_ random_ reciprocal_ relu_ remainder_
renorm_ resize_ round_ rsqrt_ scatter_ scatter_add_ set_ sigmoid_ sign_ sin_ sinh_ sqrt_ square_ squeeze_ subtract_
t_ tan_ tanh_ transpose_ tril_ triu_ true_divide_ trunc_ uniform_ unsqueeze_
"""

ABSENT: dict[str, str] = {
    "inner": "write a @ b",
    **dict.fromkeys(("new_zeros", "new_ones", "new_tensor", "new_full", "new_empty"), _NEW),
    **dict.fromkeys(("type", "short", "char", "byte", "astype"), _CAST),
    **dict.fromkeys(("half", "bfloat16", "cfloat", "cdouble"), _HALF),
    **dict.fromkeys(("register_hook", "register_post_accumulate_grad_hook"), _NO_HOOKS),
    "retain_grad": "only leaves keep gradients; cut there: y = y.detach().requires_grad_(), and go on with y",
    "grad_fn": "print the Tensor, which names the op that computed it; .is_leaf says whether there is one",
    "is_cuda": "write t.device == 'cuda'",
    "get_device": "write t.device",
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
    **dict.fromkeys(_NAMES_IN_PLACE.split(), _IN_PLACE),
}


class Absent:
    """An attribute that is not there: reading it is the AttributeError that says what to write.

    Example:
        >>> class Vector:
        ...     mm = Absent("mm", "write a @ b")
        >>> hasattr(Vector(), "mm")
        False
        >>> Vector().mm
        Traceback (most recent call last):
            ...
        AttributeError: 'Vector' object has no attribute 'mm'; write a @ b
    """

    def __init__(self, name: str, told: str) -> None:
        self.name, self.told = name, told

    def __get__(self, owner: object, kind: type) -> object:
        raise AttributeError(
            f"{kind.__name__!r} object has no attribute {self.name!r}; {self.told}", name=self.name, obj=owner
        )
