"""Examples with known results for every function of kernels/ that is not an optimizer's rule: a row, a formula.

Sums are over small whole numbers, exact in any order; all else is one operation after another as the formula's Python
says, so that results are equal, signs of zeros too. Only where a library's exponential, logarithm or power is read is
there a bound: in the kernel and in the formula such a function, within 3 ulp (NumPy's own tests allow exp, log and
tanh 2), counts as six roundings, and at most two operations follow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import kernel_loops_short as short
import numpy as np
from kernel_cases import BEFORE, Array, Call, Table, drawn, each, in_chunks, into, whole


def linear() -> Table:
    found: Table = {"forward_gpu": [], "input_grad_gpu": [], "weight_grad_gpu": [], "bias_grad_gpu": []}
    for rows, wide, high, chunk in ((5, 4, 3, 2), (2, 3, 4, 2), (3, 2, 1, 5)):
        x, w, b, g = whole(rows, wide), whole(high, wide), whole(high), whole(rows, high)
        found["forward_gpu"] += [into(x, w, b, 0.0, out=x @ w.T + b), into(x, w, b[:0], 0.0, out=x @ w.T)]
        found["input_grad_gpu"].append(into(g, w, 0.0, out=g @ w))
        terms = g[:, :, None] * x[:, None, :]
        found["weight_grad_gpu"].append(into(g, x, chunk, 0.0, out=in_chunks(terms, chunk)))
        found["bias_grad_gpu"].append(into(g, chunk, 0.0, out=in_chunks(g, chunk)))
    return found


def mse() -> Table:
    p, t, g, e = (drawn(seed) for seed in range(4))
    n = whole(7)
    return {
        "squared": each(lambda e: e * e, e),
        "scaled": each(lambda e, g, s: e * (g * s), e, g, p),
        "error_gpu": [into(p, t, out=p - t)],
        "squares_gpu": [into(e, out=e * e)],
        "chunk_sums_gpu": [into(n, chunk, 0.0, out=in_chunks(n * n, chunk)) for chunk in (2, 3, 7, 9)],
        "grad_of_total_gpu": [into(e, g, 0.3, out=e * (g[0] * 0.3))],
        "grad_of_each_gpu": [into(e, g, 0.3, out=e * (g * 0.3))],
    }


def elementwise() -> Table:
    """The loops that the rules of all ops share, each with a rule; the rules: tests/engine/test_engine_rows.py."""
    inputs = [drawn(seed, 5) for seed in range(4)]
    loops = [f"{on}{count}" for on in ("cpu", "gpu") for count in (1, 2, 3, 4)]
    found = {name: [into(*given, out=weighted(*given))] for name in loops for given in (inputs[: int(name[3:])],)}
    for name, first in (("gpu2", 0), ("gpu4", 2)):  # an input may be a single number
        for alone in (first, first + 1):
            given = [x[:1] if i == alone else x for i, x in enumerate(inputs[: int(name[3:])])]
            found[name].append(into(*given, out=weighted(*given)))
    return found


def erf() -> Table:
    """Its error grows with 1 + z^2, so that it is compared with the C library's where that is below 2."""
    x = np.r_[np.linspace(-5, 1, 97), 0.0, -0.0, np.inf, -np.inf, 1e300, -1e300, np.nan]
    y = np.r_[np.linspace(-3, 3, 97), np.linspace(-0.5, 0.5, 33), 1e-300, -1e-300, x[-7:]]
    expected, times = np.array([math.erfc(each) for each in x]), 16_384 // x.size + 2
    narrow = np.float32(x)
    of_narrow = np.array([math.erfc(each) for each in narrow.tolist()])
    return {
        "erfc": [
            Call((np.tile(x, (2, times)),), {}, np.tile(expected, (2, times)), True),
            Call((narrow,), {}, np.float32(of_narrow), True),
        ],
        "erfc_of_few": [Call((x,), {}, expected, True), Call((narrow,), {}, of_narrow, True)],
        "erf": [
            Call((y,), {}, np.array([math.erf(each) for each in y]), True),
            Call((np.float32(y),), {}, np.float32([math.erf(each) for each in np.float32(y).tolist()]), True),
        ],
    }


def weighted(*numbers: Any) -> Any:
    """A rule in which every argument counts in its own way."""
    return sum(number * 3.0 ** (i + 1) for i, number in enumerate(numbers))


def arrays() -> Table:
    a, b, n, parts, source = drawn(0), drawn(1), whole(7), whole(3, 5), drawn(2, 4, 3)
    found: Table = {
        f"{name}_gpu": [into(x, y, out=formula(x, y)) for x, y in ((a, b), (a[:1], b), (a, b[:1]))]
        for name, formula in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide))
    }
    rows = np.array([2, 0, 3, 3, 1])
    return found | {
        "spread_gpu": [into(a, 3.0, out=a / 3), into(a[:1], 3.0, out=np.repeat(a[0] / 3, 4))],
        "chunk_sums_gpu": [into(n, chunk, 0.0, out=in_chunks(n, chunk)) for chunk in (2, 3, 7, 9)],
        "fold_gpu": [into(parts, 3.0, 0.0, out=parts.sum(axis=0) / 3)],
        "take_rows_gpu": [into(source, rows, out=source[rows])],
    }


def matmul() -> Table:
    a, b = whole(3, 4), whole(4, 5)
    pairs = [(whole(3, inner), whole(inner, 5)) for inner in (4, 3, 11, 21)]  # four at a time, what is left over, both
    rows = [(whole(3, inner), whole(1, inner)) for inner in (8, 3, 21)]
    many, others = whole(2, 3, 4), whole(2, 4, 5)
    nn, products = a @ b, many @ others
    nt = (a, b.T.copy())
    found: Table = {
        "nn": [into(x, y, out=x @ y) for x, y in pairs],
        "nt": [Call((*nt, np.full((4, 5), BEFORE), np.full((3, 5), BEFORE)), {3: nn, 2: b})],
        "nt_column": [Call((x, y, np.full((3, 2), BEFORE)), {2: np.c_[x @ y[0], np.full(3, BEFORE)]}) for x, y in rows],
        "tn": [into(x.T.copy(), y, out=x @ y) for x, y in pairs],
        "nn_each": [into(many, others, out=products)],
        "nt_each": [into(many, others.transpose(0, 2, 1).copy(), out=products)],
        "tn_each": [into(many.transpose(0, 2, 1).copy(), others, out=products)],
        "powers": [into(1.5, 3, out=np.array([3.375, 5.0625, 7.59375]))],
    }
    return found | {"nn_blas": found["nn"], "nt_blas": [into(*nt, out=nn)], "tn_blas": found["tn"]}


def moves() -> Table:
    a, b, g, n, narrow = drawn(0), drawn(1), drawn(2), whole(7), drawn(3, 99).astype(np.float32)
    table, places, rows = whole(4, 3), np.array([4, 0, 2, 2, 0, 4, 5]), whole(5, 3)
    scattered = np.array([n[places == place].sum() for place in range(6)])
    error = a - b
    rounded = np.float32(0.7)  # a factor of 0.7 in float32, which is not the one in float64
    first = lambda *values: np.r_[values, BEFORE]  # one result in an array of two: nothing is written beside it  # noqa: E731
    return {
        "take_rows": [into(table, np.array([0, 3, 1, 1, 2, 0]), 1, out=table[[3, 1, 1, 2]])],
        "copy": [into(a, out=a)],
        "add_to": [Call((a, b.copy()), {1: a + b})],
        "spread": [into(a, out=np.repeat(a[0], 4))],
        "divide": [into(a, 3.0, out=a / 3), into(narrow, np.float64(0.7), out=narrow / rounded)],
        "gather": [into(a, places, out=a[places])],
        "scatter_add": [into(n, places, out=scattered)],
        "total": [into(n, 3.0, out=first(n.sum() / 3))],
        "turn": [into(table, out=table.T.copy())],
        "add_row": [Call((table[0], rows.copy()), {1: rows + table[0]})],
        "column_sums": [into(rows, out=rows.sum(axis=0))],
        "squared_error": [Call((a, b, *np.full((2, 7), BEFORE)), {3: error * error, 2: error})],
        "total_squared_error": [
            Call(
                (n, 3 * a // 1, 3.0, np.full(7, BEFORE), np.full(2, BEFORE)),
                {4: first(((n - 3 * a // 1) ** 2).sum() / 3), 3: n - 3 * a // 1},
            )
        ],
        "scaled_error": [
            into(g, a, 0.3, out=a * (g[0] * 0.3)),
            into(np.ones(1), narrow, np.float64(0.7), out=narrow * rounded),
        ],
        **extremes(),
        "scaled_errors": [
            into(g, a, 0.3, out=a * (g * 0.3)),
            into(narrow[::-1].copy(), narrow, np.float64(0.7), out=narrow * (narrow[::-1] * rounded)),
        ],
    }


def products(places: Array) -> Table:
    """Of small whole numbers, with zeros and without."""
    found: Table = {"product": [], "product_back": []}
    g = whole(6)
    for a in (np.array([2.0, 3, -1, 4, 5, 7, 0.5, 3]), np.array([2.0, 3, 0, 4, 0, 7, 0, 3])):
        every = np.array([np.prod(a[places == p]) for p in range(6)])
        others = [np.prod(np.delete(a, i)[np.delete(places, i) == p]) for i, p in enumerate(places)]
        found["product"].append(into(a, places, out=every))
        after = {3: g * every, 4: g[places] * np.array(others)}
        found["product_back"].append(Call((g, a, places, np.full(6, BEFORE), np.full(8, BEFORE)), after))
    return found


def extremes() -> Table:
    """Of the loops in moves.py that compare, choose, and run along columns and axes."""
    a = np.array([2.0, np.nan, -1.0, 2.0, 5.0, -np.inf, 5.0, -0.0])
    places = np.array([0, 1, 0, 0, 2, 3, 2, 4])
    g, b, condition = drawn(5, 6), drawn(6, 8), np.array([1, 0, 0, 1, 1, 0, 1, 0], bool)
    top, low = np.array([2, np.nan, 5, -np.inf, -0.0, -np.inf]), np.array([-1, np.nan, 5, -np.inf, -0.0, np.inf])
    ties = np.array([1.0, 1, 0, 1, 1, 1, 1, 1])
    counts = np.array([2.0, 1, 2, 1, 1, 0])
    of_least = np.array([0.0, 1, 1, 0, 1, 1, 1, 1])
    fewer = np.array([1.0, 1, 2, 1, 1, 0])
    table, wide, cube = drawn(7, 2, 3), np.full((2, 7), BEFORE), drawn(8, 2, 4, 3)
    put = wide.copy()
    put[:, 2:5] = table
    sums, back = np.cumsum(cube, axis=1), np.flip(np.cumsum(np.flip(cube, 1), axis=1), 1)
    after, order = np.full(6, BEFORE), np.array([1, 1, 1, 0, 2, 2])
    return {
        "largest": [
            into(a, places, out=top),
            into(np.array([4, 1, 2, -np.inf, 0.0, -0.0]), order, out=np.array([-np.inf, 4, 0.0])),
        ],
        "least": [
            into(a, places, out=low),
            into(np.array([-4, 1, 2, np.inf, 0.0, -0.0]), order, out=np.array([np.inf, -4, 0.0])),
        ],
        **products(np.array([0, 5, 0, 0, 2, 3, 2, 4])),
        "shared": [
            Call((g, value, a, places, after, out), {4: count, 5: np.where(tie > 0, (g / count)[places], 0.0)})
            for value, count, tie in ((top, counts, ties), (low, fewer, of_least))
            for out in (np.full(8, BEFORE), np.zeros(8))
        ],
        "choose": [into(condition, a, b, out=np.where(condition, a, b))],
        "chosen": [into(condition, held, b, out=np.where(condition == held, b, 0.0)) for held in (0, 1)],
        "put_columns": [Call((table, 2, wide), {2: put})],
        "take_columns": [into(put, 2, out=table)],
        "running_sums": [into(cube, out=sums)],
        "running_sums_back": [into(cube, out=back)],
    }


def choices() -> Table:
    """Of the loops that compare, choose and take along an axis; all numbers are exact."""
    a, b = np.array([1.0, 2.0, np.nan, -np.inf, 0.0, 3.0]), np.array([1.0, 1.0, np.nan, np.inf, -0.0, 4.0])
    yes, no = np.array([True, False, True, False]), np.array([True, True, False, False])
    compared = {
        name: [Call((a, b, np.zeros(6, bool)), {2: formula(a, b)}), Call((a, b, np.ones(6, bool)), {2: formula(a, b)})]
        for name, formula in (
            ("equal", np.equal),
            ("not_equal", np.not_equal),
            ("less", np.less),
            ("less_equal", np.less_equal),
        )
    }
    asked = {
        name: [
            Call((*given, np.array([before] * len(given[0]))), {len(given): formula(*given)})
            for before in (True, False)
        ]
        for name, formula, given in (
            ("isinf", np.isinf, (a,)),
            ("isfinite", np.isfinite, (a,)),
            ("logical_not", np.logical_not, (a,)),
            ("logical_and", np.logical_and, (yes, no)),
            ("logical_or", np.logical_or, (yes, no)),
            ("logical_xor", np.logical_xor, (yes, no)),
        )
    }
    for name, formula in (("and", np.logical_and), ("or", np.logical_or), ("xor", np.logical_xor)):
        numbers = (2.0 * yes, 1.0 * no)
        asked[f"logical_{name}"].append(Call((*numbers, ~formula(*numbers)), {2: formula(*numbers)}))
    cube = whole(2, 4, 3)
    cube[0, :, 0], cube[1, :, 0] = [1, 5, 5, 2], [np.nan, 7, np.nan, 1]
    cube[0, :, 1], cube[1, :, 1] = [3, np.nan, 1, np.nan], [-np.inf, -np.inf, 1, 1]
    cube[0, :, 2], cube[1, :, 2] = [9, 1, 1, 9], [4, 3, 2, 1]
    places, g = np.array([0, 3, 1, 0, 0, 1, 2, 2, 2, 3, 0, 2] + [1, 2, 2, 1, 1, 1, 3, 3, 0, 0, 2, 1]), whole(2, 4, 3)
    places = places.reshape(2, 4, 3)
    back = np.zeros((2, 4, 3))
    np.add.at(back, (np.arange(2)[:, None, None], places, np.arange(3)), g)
    return {
        **compared,
        **asked,
        "argmax": [
            into(cube, out=np.argmax(cube, 1, keepdims=True)),
            into(-cube, out=np.argmax(-cube, 1, keepdims=True)),
        ],
        "argmin": [
            into(cube, out=np.argmin(cube, 1, keepdims=True)),
            into(-cube, out=np.argmin(-cube, 1, keepdims=True)),
        ],
        "take_along": [into(cube, places, out=np.take_along_axis(cube, places, 1))],
        "take_along_back": [into(g, places, out=back)],
    }


def softmax() -> Table:
    a, g = np.array([2.0, -1.0, 0.5, 3.0, -0.25, 1.5, 0.125]), drawn(4)
    places = np.array([0, 1, 0, 2, 1, 0, 2])
    top = np.array([2.0, -0.25, 3.0])
    powers, logs = np.exp(a - top[places]), a - top[places]
    sums = np.array([powers[places == p].sum() for p in range(3)])
    share = powers / sums[places]
    infinite = np.array([np.inf, -np.inf, 1.0, np.nan, np.inf, 0.0, -np.inf])
    tops = np.array([np.inf, np.inf, np.nan])
    n, after = whole(7), np.full(3, BEFORE)
    totals = np.array([(g * a)[places == p].sum() for p in range(3)])
    return {
        "shifted": [
            into(a, top, places, out=logs),
            into(infinite, tops, places, out=np.where(infinite == np.inf, 0.0, infinite - tops[places])),
        ],
        "exp_sums": [into(logs, places, out=sums, inexact=True)],
        "softmax": [into(logs, sums, places, out=share, inexact=True)],
        "log_softmax": [into(logs, sums, places, out=logs - np.log(sums)[places], inexact=True)],
        "logsumexp": [
            into(top, sums, out=top + np.log(sums), inexact=True),
            into(np.array([np.inf, -np.inf, 1.0]), np.full(3, np.nan), out=np.array([np.inf, -np.inf, np.nan])),
        ],
        "softmax_back": [
            Call((g, a, places, after, np.full(7, BEFORE)), {3: totals, 4: a * (g - totals[places])}, None, True)
        ],
        "log_softmax_back": [
            Call(
                (n, a, places, after, np.full(7, BEFORE)),
                {
                    3: (sums_of_n := np.array([n[places == p].sum() for p in range(3)])),
                    4: n - np.exp(a) * sums_of_n[places],
                },
                None,
                True,
            )
        ],
        "logsumexp_back": [into(g[:3], logs, sums, places, out=g[:3][places] * share, inexact=True)],
        **of_classes(),
        **of_classes_on_gpu(),
    }


def of_classes() -> Table:
    """Of the loops of the loss: two rows of three classes at four places; a target is ignored, later one is none."""
    target, weight = np.array([[2, -7, 0, 0], [0, 1, 2, 1]]), np.array([0.5, 2.0, 4.0])
    own = target[:, None, :] == np.arange(3).reshape(1, 3, 1)
    found: list[Call] = []
    for kept, share in ((1.0, 0.0), (0.75, 0.125)):
        factors = -weight.reshape(1, 3, 1) * (own * kept + share)
        factors[0, :, 1] = 0
        found += [into(target, weight, -7, kept, share, mean, out=factors / (13.5 if mean else 1.0)) for mean in (0, 1)]
    for wrong in (3, -1):
        other = target.copy()
        other[1, 0] = wrong
        found += [into(other, weight, -7, 1.0, 0.0, mean, out=np.full((2, 3, 4), np.nan)) for mean in (0, 1)]
    cube, logs, g = whole(2, 3, 4), whole(2, 3, 4) * 3.0, whole(2, 4)
    cube[1, 2, 0] = cube[0, 0, 1] = 0
    logs[1, 2, 0] = -np.inf
    terms = cube * np.where(cube == 0, 0, logs)
    return {
        "class_factors": found,
        "class_losses": [into(cube, logs, out=terms.sum(axis=1))],
        "class_total": [into(cube.reshape(-1), logs.reshape(-1), out=np.r_[terms.sum(), BEFORE])],
        "class_losses_back": [into(g, cube, out=g[:, None, :] * cube)],
    }


def of_classes_on_gpu() -> Table:
    """One thread takes the three classes of a place: of two rows and four places, with infinite ones, then with NaN."""
    a, value, g = whole(2, 3, 4) / 8, whole(3, 4, 2).reshape(2, 3, 4) / 8, drawn(6, 2, 3, 4)
    a[0, :, 1] = [1.0, np.inf, 2.0]
    a[1, :, 2] = [-np.inf, 3.0, 1.0]
    a[0, :, 0], a[0, :, 2], a[0, :, 3] = [1e3, 0, -1e3], [-1e3, 0.0, 1e3], [500.0, 1e3, 0.0]
    a[1, :, 0], a[1, :, 1], a[1, :, 3] = [-1e3, -3e3, -2e3], [-3e3, -2e3, -1e3], [-3e3, -1e3, -2e3]
    nan = np.where(np.arange(24).reshape(2, 3, 4) == 7, np.nan, a)
    found: Table = {"softmax_gpu": [], "log_softmax_gpu": []}
    for given in (a, nan):
        away = np.where(given == np.inf, 0.0, given - given.max(axis=1, keepdims=True))
        sums = np.exp(away).sum(axis=1, keepdims=True)
        found["softmax_gpu"].append(into(given, 0.0, out=np.exp(away) / sums, inexact=True))
        found["log_softmax_gpu"].append(into(given, 0.0, out=away - np.log(sums), inexact=True))
    cube, logs = whole(2, 3, 4), whole(2, 3, 4) * 3.0
    cube[1, 2, 0] = 0
    logs[1, 2, 0] = -np.inf
    terms, per_place = cube * np.where(cube == 0, 0, logs), whole(2, 4)
    return found | {
        "softmax_back_gpu": [
            into(g, value, 0.0, out=value * (g - (g * value).sum(axis=1, keepdims=True)), inexact=True)
        ],
        "log_softmax_back_gpu": [
            into(g, value, 0.0, out=g - np.exp(value) * g.sum(axis=1, keepdims=True), inexact=True)
        ],
        "class_losses_gpu": [into(cube, logs, 0.0, out=terms.sum(axis=1))],
        "class_losses_back_gpu": [into(per_place, cube, out=per_place[:, None, :] * cube)],
    }


def layer_norm() -> Table:
    """Two rows of four numbers, whose means and variances are exact; a row whose squares overflow is NaN."""
    x = np.array([[1.0, 3.0, 1.0, 3.0], [-4.0, 4.0, -4.0, 4.0], [6.0, 6.0, 6.0, 6.0]])
    normal = np.array([[-1.0, 1.0, -1.0, 1.0], [-4.0, 4.0, -4.0, 4.0], [0.0, 0.0, 0.0, 0.0]])
    factor = 1 / np.sqrt(np.array([[1.0], [16.0], [0.0]]) + 0.25)
    kept = np.c_[normal * factor, factor]
    large = np.array([[1e200, -1e200]])
    weight, bias, g, n = drawn(1, 4), drawn(2, 4), whole(3, 4), whole(3, 5)
    back = n[:, 4:] * (
        g * weight - (g * weight).mean(1, keepdims=True) - n[:, :4] * (g * weight * n[:, :4]).mean(1, keepdims=True)
    )
    plain = n[:, 4:] * (g - g.mean(1, keepdims=True) - n[:, :4] * (g * n[:, :4]).mean(1, keepdims=True))
    nan, far, none, value = np.full((1, 3), np.nan), 2.0**53 + np.array([[0.0, 4.0]]), weight[:0], n[:, :4]
    of_one = n[:, 1:2] * (0.0 - n[:, :1] * (g[:, :1] * weight[0] * n[:, :1]))
    return {
        "normalized": [
            into(x, 0.25, out=kept, inexact=True),
            into(large, 0.25, out=nan),
            into(far, 0.0, out=np.array([[-1.0, 1.0, 0.5]])),
        ],
        "affine": [into(n, weight, bias, out=value * weight + bias)],
        "input_grad": [into(g, weight, n, out=back, inexact=True)],
        "weight_grad": [into(g, n, out=(g * value).sum(axis=0))],
        "normalized_gpu": [
            into(x, 0.25, 4.0, 1.0, out=kept, inexact=True),
            into(large, 0.25, 2.0, 1.0, out=nan),
            into(far, 0.0, 2.0, 1.0, out=np.array([[-1.0, 1.0, 0.5]])),
        ],
        "affine_gpu": [
            into(n, weight, bias, out=value * weight + bias),
            into(n, none, bias, out=value + bias),
            into(n, weight, none, out=value * weight),
            into(n, none, none, out=value.copy()),
            into(n[:, :2].copy(), weight[:1], bias[:1], out=n[:, :1] * weight[0] + bias[0]),
        ],
        "input_grad_gpu": [
            into(g, weight, n, 4.0, 1.0, out=back, inexact=True),
            into(g, none, n, 4.0, 1.0, out=plain, inexact=True),
            into(g[:, :1].copy(), weight[:1], n[:, :2].copy(), 1.0, 1.0, out=of_one, inexact=True),
        ],
        "weight_grad_gpu": [into(g, n, chunk, 0.0, out=in_chunks(g * value, chunk)) for chunk in (1, 2, 3, 5)],
    }


def norm() -> Table:
    cases = [of_norm(drawn(size, size), 0.3) for size in (4096 + 2 * 512 + 3, 4096, 600, 3)]
    narrow = drawn(0, 600).astype(np.float32)  # whose squares are float64 too
    return {
        "chunk_sums": [*cases, of_norm(narrow, np.float64(0.3))],
        "chunk_sums_numpy": [*cases, of_norm(narrow, 0.3), of_norm(np.tile(narrow, 7), 0.3)],
        "chunk_sum_numpy": [
            Call((drawn(size, size),), {}, of_terms(drawn(size, size))) for size in (4096, 512 * 3 + 5, 600, 3, 0)
        ],
        "folded": [Call((whole(9),), {}, whole(9).sum()), Call((whole(0),), {}, 0.0)],
        "sum_of_squares": [
            Call((*each.arguments[:2], each.arguments[2]), each.becomes, one_by_one(each.becomes[2]))
            for each in (*cases, of_norm(narrow, 0.3))
        ],
        "is_safe": each(
            lambda total: bool(total > 1e-250 and total < np.inf),
            np.array([0.0, 1e-300, 1e-250, 2e-250, 1.0, 1e308, np.inf, np.nan]),
        ),
        "largest": [
            *(Call((np.array(each), 0.0), {}, 3.0) for each in ([1.0, -3.0, 2.0], [3.0, 1.0], [1.0, -3.0])),
            Call((np.array([1.0, -3.0, 2.0]), 4.0), {}, 4.0),
            Call((np.array([1.0, 3.0], np.float32), 0.0), {}, 3.0),
            Call((np.array([1.0, np.nan, 2.0]), 0.5), {}, np.nan),
            Call((np.array([5.0, 1.0]), np.nan), {}, np.nan),
        ],
        "scale_of": each(lambda size: scale(float(size)), np.array([0.0, 1.0, 3.0, 0.2, 1e-320, 1e300, 1e308, 5e-324])),
        "factor": [
            Call((2.0, 3.0, 6.0, 0.125), {}, 1.0),
            Call((2.0, 3.0, 7.0, 0.125), {}, 1.0),
            Call((2.0, 3.0, 3.0, 0.125), {}, 0.25),
            Call((4.0, 3.0, 3.0, 0.0625), {}, 0.1875),
            Call((5.0, 29.0, 1.0, 0.0), {}, 1.0 / 5.0 / 29.0),
        ],
    }


def hessian() -> Table:
    h, estimate = drawn(0), drawn(1)
    return {"averaged": each(lambda h, x, *s: (s[0] * h + s[1] * (s[2] * x),), h, estimate, *drawn(2, 3, 7))}


def split_mix(key: int, i: int) -> int:
    """Word i of a key."""
    bits = 2**64 - 1
    z = key + (i + 1) * 0x9E3779B97F4A7C15 & bits
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & bits
    z = (z ^ z >> 27) * 0x94D049BB133111EB & bits
    return z ^ z >> 31


def shuffle() -> Table:
    """In Python's whole numbers, which have no end; the words of seed 1234567 stand beside SplitMix64's source."""
    bits, word = 2**64 - 1, split_mix
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert [word(1234567, i) for i in range(5)] == known
    pairs = [(1234567, 0), (1234567, 1), (bits, 2**32 - 2), (0, 3), (2**63, 100), (88, 2**20), (3, 6)]
    pairs += [(key, 2**32 - 9) for key in range(12)]  # the lower half counts here
    given = [tuple(np.array(pair, np.uint64)) for pair in pairs]
    order: list[int] = []
    for i in range(9):
        order.insert((place := word(88, i) * (i + 1) >> 64), i)
        order = order if place == i else [*order[: place + 1], *order[place + 2 :], order[place + 1]]
    return {
        "word": [Call(some, {}, np.uint64(word(*pair))) for some, pair in zip(given, pairs, strict=True)],
        "place": [
            Call(some, {}, np.uint64(word(*pair) * (pair[1] + 1) >> 64))
            for some, pair in zip(given, pairs, strict=True)
        ],
        "shuffled": [into(np.uint64(88), out=np.array(order))],
    }


def dropout() -> Table:
    """By the words of `shuffle`, in Python's whole numbers."""
    keys, a = np.array([7, 2**63 + 11], np.uint64), drawn(0, 40)
    words = [[split_mix(key, i) for i in range(40)] for key in (7, 2**63 + 11)]
    least = 3 << 51  # p = 3/4
    kept = np.array([[(word >> 11) >= least for word in each] for each in words])
    edge = words[0][0] >> 11
    return {
        "stays": [
            Call((np.uint64(7), np.uint64(0), np.uint64(bound)), {}, np.bool_(stays))
            for bound, stays in ((edge - 1, True), (edge, True), (edge + 1, False), (0, True), (2**53, False))
        ],
        "drop": [into(a, keys, place, least, 4.0, out=np.where(kept[place], a * 4, 0.0)) for place in (0, 1)]
        + [
            into(
                a.astype("f4"),
                keys,
                0,
                least,
                np.float64(0.7),
                out=np.where(kept[0], a.astype("f4") * np.float32(0.7), np.float32(0)),
            )
        ],
        "drop_gpu": [into(a, 7, least, 4.0, 0.0, out=np.where(kept[0], a * 4, 0.0))],
    }


def scale(size: float) -> float:
    """The power of two that is next above a size, between 2^-1000 and 2^1000; 1 for zero."""
    if size == 0:
        return 1.0
    return 2.0 ** min(max(int(np.floor(np.log2(size))) + 1, -1000), 1000)


def of_norm(array: Array, scale: float) -> Call:
    """Rows of 512 places are added up side by side, then the places, then the rest, for each 4096 numbers."""
    squares = (array.astype(np.float64) * scale) ** 2
    return into(array, scale, out=np.array([of_terms(squares[c : c + 4096]) for c in range(0, len(array), 4096)]))


def of_terms(terms: Array) -> float:
    """The same for one of these 4096."""
    rows = len(terms) // 512
    places = [one_by_one(terms[place : rows * 512 : 512]) for place in range(512)]
    return one_by_one([*places, *terms[rows * 512 :]])


def one_by_one(values: Iterable[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def bound_rule(*numbers: Any) -> tuple[Any, ...]:
    """A rule for `_kernel`'s loops with two scalars, in which every argument counts in its own way."""
    return tuple(
        sum(number * 3.0 ** (i * (k + 1)) for i, number in enumerate(numbers)) for k in range(len(numbers) - 3)
    )


def _kernel() -> Table:
    """The loops that all rules share, each with a rule and two scalars."""
    found: Table = {}
    for states in range(6):
        arrays, scalars = [drawn(seed, 5) for seed in range(2 + states)], (0.3, 0.7)
        param, *after = bound_rule(*arrays, *scalars)
        becomes = {0: param} | dict(enumerate(after, start=2))
        found[f"cpu{states}"] = [Call((*arrays, *scalars), becomes)]
        found[f"gpu{states}"] = [Call((*arrays, scalars), becomes)]
    a, b = drawn(0), drawn(1)
    found["unpacking"] = [Call((a, b, np.array([0.3, 0.7])), {0: a * 0.3 + b * 0.7})]
    return found


def bound_loop(a: Array, b: Array, first: float, second: float) -> None:
    """What `unpacking` calls."""
    a[:] = a * first + b * second


# What stands for the names that a kernel or an op binds in the loops of these files.
BOUND: dict[str, dict[str, Any]] = {
    "elementwise": {"rule": weighted},
    "_kernel": {
        "rule": bound_rule,
        "loop": bound_loop,
        "to_fixed_tuple": lambda array, count: tuple(array[:count]),
        "count": 2,
    },
}


def declared(module: str, names: dict[str, Any]) -> bool:
    """Whether the file's own lines say what they should: a constant, a kernel, the order of loops."""
    if module in (*SHORT, "_bits"):
        return short.declared(module, names)
    if module == "_kernel":
        return all(names[f"{on.upper()}_LOOPS"] == tuple(names[f"{on}{n}"] for n in range(6)) for on in ("cpu", "gpu"))
    if module == "elementwise":
        tables = (("CPU_LOOPS", "cpu", (1, 2, 3, 4)), ("GPU_LOOPS", "gpu", (1, 2, 3, 4)))
        loops = all(names[table] == {n: names[f"{on}{n}"] for n in counts} for table, on, counts in tables)
        numbers = {name: names[name] for name in names["NUMBERS"]}
        known = {"zero": 0, "one": 1, "half": 0.5, "ln2": math.log(2), "ln10": math.log(10)}
        known |= {"two_per_root_pi": 2 / math.pi**0.5, "hundred": 100.0, "least_share": 1e-12}
        known |= {"exp_of_minus_hundred": math.exp(-100)}
        known |= {"root_half": 0.5**0.5, "per_root_2pi": (2 * math.pi) ** -0.5, "tanh_factor": (2 / math.pi) ** 0.5}
        near = numbers.keys() == {*known, "tanh_cube"} and all(
            abs(numbers[name] - value) <= 1e-15 * value for name, value in known.items()
        )
        return loops and near and numbers == names["NUMBERS"] and numbers["tanh_cube"] == 0.044715
    return True


SHORT = {of.__name__: of for of in (short.adam_bfloat16, short.adam_int8)}
MADE_OF = (
    linear,
    mse,
    arrays,
    elementwise,
    erf,
    matmul,
    moves,
    choices,
    softmax,
    layer_norm,
    norm,
    hessian,
    shuffle,
    dropout,
    _kernel,
)


def tables() -> dict[str, Table]:
    with np.errstate(all="ignore"):
        found = {of.__name__: of() for of in (*MADE_OF, *SHORT.values())}
        return found | {"_bits": short.bits()}


TABLES = tables()
