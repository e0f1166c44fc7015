"""`formulas`: the printed formula of every optimizer in MathML, as verify has it, and in few bytes for the page.

A formula's lines depend on the hyperparameters: without momentum there is no line of it. So there are lines for each
dialect's defaults, and for each hyperparameter that alone is turned on or off.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from tinygrad_lr.optim import OPTIMIZERS
from tinygrad_lr.verify import spec
from tinygrad_lr.verify.formulas import FAMILIES

__all__ = ["formulas", "packed"]


def formulas() -> dict[str, Any]:
    """The formulas of the table of optimizers.

    Returns:
        "lines": all lines, an element `math` each, every one once. "of": name -> dialect -> what is turned -> numbers
        of lines; "" stands for the defaults, and a turned hyperparameter whose lines are the same is left out.
        "symbols": name -> hyperparameter or state -> the symbols of its numbers. An optimizer without a formula is
        absent.

    Example:
        >>> found = formulas()
        >>> [found["lines"][number][:60] for number in found["of"]["sgd"]["article"][""]]
        ['<math><mrow><mi data-name="theta">θ</mi><mo>←</mo><mrow><mi ']
        >>> found["symbols"]["adam"]["betas"]
        ('beta1', 'beta2')
    """
    numbers: dict[str, int] = {}
    of: dict[str, Any] = {}
    symbols: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in OPTIMIZERS:
        if name not in FAMILIES:
            continue
        of[name], symbols[name] = {}, {}
        for dialect, defaults in OPTIMIZERS[name].dialects.items():
            found: dict[str, list[int]] = {}
            for key, values in turns(defaults).items():
                given = spec(name, dialect=dialect, **values)
                lines = [numbers.setdefault(line, len(numbers)) for line in given.mathml()]
                symbols[name] |= given.legend()
                if lines != found.get(""):
                    found[key] = lines
            of[name][dialect] = found
    return {"lines": list(numbers), "of": of, "symbols": symbols}


def turns(defaults: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is turned -> all hyperparameters: "" has the defaults, a name has it off where it was on, or on.

    The rate is left alone, and so is what is neither a flag nor a number.

    Example:
        >>> turns({"lr": 0.1, "momentum": 0.0, "nesterov": True})["momentum"]
        {'lr': 0.1, 'momentum': 0.5, 'nesterov': True}
    """
    found = {"": dict(defaults)}
    for name, value in defaults.items():
        if isinstance(value, bool):
            found[name] = {**defaults, name: not value}
        elif isinstance(value, float) and name != "lr":
            found[name] = {**defaults, name: 0.0 if value else 0.5}
    return found


def packed(data: Any) -> str:
    """JSON, compressed by zlib, in base64: what a page reads with DecompressionStream("deflate").

    Example:
        >>> json.loads(zlib.decompress(base64.b64decode(packed({"m": "x"}))))
        {'m': 'x'}
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()
