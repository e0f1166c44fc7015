"""Numbers with fused multiply-adds: a product that is added to is rounded once, with the sum. Next: unusual.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any

import numpy as np

WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}


class Fused:
    """An array of a dtype, and the product that it was rounded from.

    float32 is emulated in float64, where a product of two is exact, and float64 in the platform's longest one.

    Example:
        >>> a = Fused(np.float32([1 + 2**-12]))
        >>> (a * a - 1).value.tolist(), (a.value * a.value - 1).tolist()
        ([0.0004883408546447754], [0.00048828125])
    """

    __array_ufunc__ = None  # NumPy leaves `array * fused` to us

    def __init__(self, value: Any, product: Any = None) -> None:
        self.value, self.product = np.asarray(value), product

    def _other(self, x: Any) -> tuple[Any, Any]:
        if isinstance(x, Fused):
            return x.value, x.product
        return np.asarray(x, self.value.dtype), None

    @property
    def _wide(self) -> Any:
        return WIDER[self.value.dtype]

    def __mul__(self, x: Any) -> Fused:
        value, _ = self._other(x)
        exact = self.value.astype(self._wide) * value.astype(self._wide)
        return Fused(exact.astype(self.value.dtype), exact)

    __rmul__ = __mul__

    def _sum(self, x: Any, sign: int) -> Fused:
        value, product = self._other(x)
        left = self.value.astype(self._wide) if self.product is None else self.product
        right = value.astype(self._wide)
        if self.product is None and product is not None:
            right = product
        return Fused((left + sign * right).astype(self.value.dtype))

    def __add__(self, x: Any) -> Fused:
        return self._sum(x, 1)

    __radd__ = __add__

    def __sub__(self, x: Any) -> Fused:
        return self._sum(x, -1)

    def __rsub__(self, x: Any) -> Fused:
        return (-self)._sum(x, 1)

    def __neg__(self) -> Fused:
        return Fused(-self.value, None if self.product is None else -self.product)

    def __truediv__(self, x: Any) -> Fused:
        return Fused(self.value / self._other(x)[0])

    def __rtruediv__(self, x: Any) -> Fused:
        return Fused(self._other(x)[0] / self.value)

    def __pow__(self, n: Any) -> Fused:
        return Fused(self.value**n)

    def __abs__(self) -> Fused:
        return Fused(np.abs(self.value))

    def sqrt(self) -> Fused:
        return Fused(np.sqrt(self.value))

    def cbrt(self) -> Fused:
        return Fused(np.cbrt(self.value))

    def maximum(self, x: Any) -> Fused:
        return Fused(np.maximum(self.value, self._other(x)[0]))

    def by_sign(self, s: Any, negative: Any, zero: Any, positive: Any) -> Fused:
        values = [v.value if isinstance(v, Fused) else v for v in (s, negative, zero, positive)]
        from ..formulas.numbers import by_sign

        return Fused(np.asarray(by_sign(*values), self.value.dtype))
