"""What one training step can give: its loss and gradients as enclosures that hold the exact values and everything that
correctly rounded arithmetic gives, sums being taken in any order.

The uses of ops that a trace lists are evaluated in intervals, forwards and backwards. A sum of n terms may be off by
gamma_{n-1} times the sum of magnitudes (Higham, Accuracy and Stability, section 4.2), whatever its order; a product of
matrices is such a sum of rounded products. exp, log, tanh and powers are held to LIBRARY units of rounding: NumPy
promises 4 units in the last place for its vectorised ones (numpy/_core/tests/data/umath-validation-set-README), the C
library's are closer.
"""

import numpy as np

from tinygrad_lr.engine.dropout import scale_of
from tinygrad_lr.engine.softmax import as_classes
from tinygrad_lr.kernels.ops.erf import erf, erfc
from tinygrad_lr.verify.bounds.enclosure import Enclosure, _extremes, _limits

LIBRARY = 8.0  # 4 units in the last place are at most 8 units of rounding


def enclosed_step(trace, arrays):
    """The loss, and the gradient of each parameter by the id of its Tensor, of a traced step on a batch."""
    known, parts = {}, {id(trace.loss): [exact(np.ones(trace.loss.shape), trace.loss.dtype)]}

    def of(value):
        if id(value) not in known:
            array = arrays[value.number] if value.kind == "batch" else value.tensor._data
            known[id(value)] = exact(array.copy(), value.dtype if value.dtype.kind == "f" else np.float64)
        return known[id(value)]

    for use in trace.uses:
        known[id(use.output)] = forward(use, [of(value) for value in use.inputs])
    for use in reversed(trace.uses):
        if id(use.output) in parts:
            g = added_up(parts[id(use.output)])
            for i, value in enumerate(use.inputs):
                if use.flows[i]:
                    part = backward(use, i, g, [of(each) for each in use.inputs], of(use.output))
                    parts.setdefault(id(value), []).append(unbroadcast(part, value.shape))
    return of(trace.loss), {id(v.tensor): added_up(parts[id(v)]) for v in trace.parameters if id(v) in parts}


def exact(array, dtype):
    return Enclosure.exact(array, dtype)


def mapped(function, e):
    """The same rearrangement of both bounds."""
    return Enclosure(function(e.low), function(e.high), e.dtype)


def summed(e, places, shape):
    """Sums of elements: `places[i]` says into which element of the result element i goes."""
    count = int(np.prod(shape))
    places, low, high = (np.asarray(each).reshape(-1) for each in (places, e.low, e.high))
    n = np.bincount(places, minlength=count)
    unit = _limits(e.dtype, 1.0)[0] * np.maximum(n - 1, 0)
    slack = unit / (1 - unit) * 1.001 * np.bincount(places, np.maximum(np.abs(low), np.abs(high)), count)
    lows, highs = np.bincount(places, low, count) - slack, np.bincount(places, high, count) + slack
    return Enclosure(lows.reshape(shape), highs.reshape(shape), e.dtype)


def numbered(shape):
    return np.arange(int(np.prod(shape))).reshape(shape)


def added_up(parts):
    if len(parts) == 1:
        return parts[0]
    shape = parts[0].low.shape
    stacked = Enclosure(np.stack([p.low for p in parts]), np.stack([p.high for p in parts]), parts[0].dtype)
    return summed(stacked, np.broadcast_to(numbered(shape), stacked.low.shape), shape)


def unbroadcast(e, shape):
    if e.low.shape == shape:
        return e
    return summed(e, np.broadcast_to(numbered(shape), e.low.shape), shape)


def product(a, b):
    """Matrices, the axes before the last two broadcast: rounded products, summed over the inner axis."""
    terms = mapped(lambda x: x[..., :, :, None], a) * mapped(lambda x: x[..., None, :, :], b)
    shape = (*terms.low.shape[:-2], terms.low.shape[-1])
    return summed(terms, np.broadcast_to(np.expand_dims(numbered(shape), -2), terms.low.shape), shape)


def swapped(e):
    return mapped(lambda x: np.swapaxes(x, -1, -2), e)


def as_matrices(a, b):
    left = a if a.low.ndim > 1 else mapped(lambda x: x[None, :], a)
    return left, b if b.low.ndim > 1 else mapped(lambda x: x[:, None], b)


def as_rows(e):
    """All axes but the last as one."""
    return mapped(lambda x: x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1]), e)


def rising(function, e, units=LIBRARY):
    """A rising function of the library."""
    return e._rounded(function(e.low), function(e.high), units)


def at_points(function, *inputs, units=LIBRARY):
    """A function of the library at exact numbers."""
    assert all((each.low == each.high).all() for each in inputs), "not exact: the function need not rise"
    value = function(*[each.low for each in inputs])
    return inputs[0]._rounded(value, value, units)


def running(e, axis, sums):
    """Sums of the elements up to each one, or from it on."""
    if not e.low.ndim:
        return e
    n = e.low.shape[axis]
    unit = _limits(e.dtype, 1.0)[0] * max(n - 1, 0)
    slack = unit / (1 - unit) * 1.001 * sums(np.maximum(np.abs(e.low), np.abs(e.high)), axis)
    return Enclosure(sums(e.low, axis) - slack, sums(e.high, axis) + slack, e.dtype)


def rounded(number, like):
    """A constant in the dtype of an enclosure."""
    return exact(np.full(like.low.shape, number, like.dtype), like.dtype)


def one_of(condition, a, b):
    """a where a condition on exact numbers holds, and b elsewhere."""
    return Enclosure(np.where(condition, a.low, b.low), np.where(condition, a.high, b.high), a.dtype)


def power(a, b):
    return a._rounded(*_extremes(a, b, np.power), LIBRARY)


def is_square(use):
    exponent = use.inputs[1]
    return exponent.kind == "constant" and exponent.shape == () and exponent.tensor._data == 2


def reduced(use, array):
    """Where the elements of a reduction go: the result's shape, and a place for every element."""
    axis = use.options[0]
    axes = tuple(range(array.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    kept = [1 if k in {a % array.ndim for a in axes} else n for k, n in enumerate(array.shape)]
    return np.broadcast_to(numbered(kept), array.shape), array.size // max(int(np.prod(kept)), 1)


def forward(use, inputs):
    name, a, b = use.op.name, inputs[0], inputs[-1]
    if name in ("sum", "mean"):
        places, count = reduced(use, a.low)
        total = summed(a, places, use.output.shape)
        return total / float(count) if name == "mean" else total
    if name in ("reshape", "permute", "index"):
        return mapped(lambda x: use.op.forward(x, *use.options), a)
    if name in ("max", "min"):
        assert (a.low == a.high).all()
        return exact(use.op.forward(a.low, *use.options), a.dtype)
    if name == "cumsum":
        return running(a, use.options[0], np.cumsum)
    if name == "prod":
        return at_points(
            lambda x: np.multiply.reduce(x, *use.options[:1], keepdims=use.options[1]), a, units=a.low.size
        )
    if name == "einsum":
        return einsum(use.options[0], inputs, use.output.shape)
    if name == "where":
        return one_of(a.low, inputs[1], b)
    if name == "take_along":
        return mapped(lambda x: use.op.forward(a.low.astype(int), x, *use.options), b)
    if name == "concatenate":
        low, high = (np.concatenate([getattr(e, side) for e in inputs], use.options[0]) for side in ("low", "high"))
        return Enclosure(low, high, a.dtype)
    if name == "linear":
        bias = inputs[2:]
        out = product(as_rows(a), swapped(inputs[1]))
        out = out + bias[0] if bias else out
        return mapped(lambda x: x.reshape(use.output.shape), out)
    if name == "matmul":
        return mapped(lambda x: x.reshape(use.output.shape), product(*as_matrices(a, b)))
    if name == "mse_loss":
        squares = (a - b)._square()
        if use.options[0] == "none":
            return squares
        total = summed(squares, np.zeros(squares.low.shape, int), ())
        return total / float(a.low.size) if use.options[0] == "mean" else total
    if name in ("softmax", "log_softmax", "logsumexp"):
        return over_classes(use, a)
    if name == "layer_norm":
        normal = normalized(use, a)[0]
        out = normal * mapped(np.ravel, inputs[1]) if len(inputs) > 1 else normal
        out = out + mapped(np.ravel, inputs[2]) if len(inputs) > 2 else out
        return mapped(lambda x: x.reshape(use.output.shape), out)
    if name == "nll_loss":
        terms = mapped(lambda x: x.reshape(factors_of(use, inputs).low.shape), b) * factors_of(use, inputs)
        every = (terms.low.shape[0], terms.low.shape[2]) if use.options[0] == "none" else (1, 1)
        places = np.broadcast_to(np.arange(every[0] * every[1]).reshape(every[0], 1, every[1]), terms.low.shape)
        return mapped(lambda x: x.reshape(use.output.shape), summed(terms, places, every))
    if name == "pow":
        return a._square() if is_square(use) else power(a, b)
    if name == "cast":
        return a._cast(use.output.dtype, a.roundings)
    if name == "dropout":
        return dropped(use, a)
    return ELEMENTWISE[name](*inputs) if name in ELEMENTWISE else of_row(use.op, inputs)


def of_rows(use, e):
    """The axes that a layer_norm normalizes as one, and those before them as another."""
    cut = e.low.ndim - use.options[0]
    return mapped(lambda x: x.reshape(int(np.prod(x.shape[:cut])), int(np.prod(x.shape[cut:]))), e)


def row_means(e):
    rows, columns = e.low.shape
    places = np.broadcast_to(np.arange(rows)[:, None], e.low.shape)
    return mapped(lambda x: x[:, None], summed(e, places, (rows,)) / float(columns))


def normalized(use, a):
    """The rows of a layer_norm, and the factor of each."""
    rows = of_rows(use, a)
    away = rows - row_means(rows)
    factor = 1.0 / (row_means(away._square()) + use.options[1]).sqrt()
    return away * factor, factor


def einsum(labels, operands, shape):
    """Sums of products over all letters; of a result with a letter twice, its diagonal, and 0 elsewhere."""
    *parts, last = labels
    letters = "".join(dict.fromkeys("".join(labels)))
    lengths = {c: n for part, e in zip(parts, operands, strict=True) for c, n in zip(part, e.low.shape, strict=True)}
    lengths |= dict(zip(last, shape, strict=True))
    full = tuple(lengths[c] for c in letters)

    def spread(part, array):
        own = "".join(dict.fromkeys(part))
        found = np.einsum(f"{part}->{''.join(c for c in letters if c in own)}", array)
        return np.broadcast_to(found.reshape([lengths[c] if c in own else 1 for c in letters]), full)

    terms = [mapped(lambda x, part=part: spread(part, x), e) for part, e in zip(parts, operands, strict=True)]
    product = terms[0] if len(terms) == 1 else terms[0] * terms[1]
    return summed(product, spread(last, numbered(shape)), shape)


def over_classes(use, a):
    """The softmax, its logarithm, or the logarithm of the sum, of exact numbers."""
    assert (a.low == a.high).all()
    places, count = reduced(use, a.low)
    if not a.low.size:
        return exact(np.asarray(use.op.forward(a.low, *use.options)), a.dtype)
    top = np.full(places.max() + 1, -np.inf)
    np.maximum.at(top, places.reshape(-1), a.low.reshape(-1))
    away = a - exact(top[places], a.dtype)
    sums = summed(rising(np.exp, away), places, top.shape)
    if use.op.name == "logsumexp":
        return mapped(lambda x: x.reshape(use.output.shape), exact(top, a.dtype) + rising(np.log, sums))
    spread = mapped(lambda x: x[places], sums)
    return rising(np.exp, away) / spread if use.op.name == "softmax" else away - rising(np.log, spread)


def factors_of(use, inputs):
    """What each logarithm of a probability is multiplied by in a loss."""
    target, weight, a = inputs
    reduction, ignored, smoothing = use.options
    before, classes, after = as_classes(a.low.shape)
    rows = target.low.reshape(before, 1, after)
    own, counted = rows == np.arange(classes).reshape(1, classes, 1), rows != ignored
    weights = mapped(lambda x: np.broadcast_to(x.reshape(1, classes, 1), own.shape), weight)
    shares = exact(np.where(own, 1 - smoothing, 0), np.dtype("float64")) + smoothing / classes
    factors = one_of(counted, -(weights * shares), weights * 0.0)
    if reduction != "mean":
        return factors
    counts = one_of(own & counted, weights, weights * 0.0)
    return factors / mapped(lambda x: x.reshape(()), summed(counts, np.zeros(own.shape, int), (1,)))


def dropped(use, e):
    """What stays of the elements of a dropout, times its number."""
    stays = use.op.forward(np.ones(e.low.shape), *use.options)[1]
    return one_of(stays, e * rounded(scale_of(use.options[0]), e), e * 0.0)


def of_row(op, inputs):
    """The forward of a row of one input: a function of NumPy's that rises."""
    (a,) = inputs
    assert (op.forward(a.low) <= op.forward(a.high)).all(), f"{op.name} does not rise: add it to ELEMENTWISE"
    return rising(op.forward, a)


def smaller(a, b):
    return -(-a).maximum(-b)


def sigmoid_of(a):
    small = rising(np.exp, -abs(a))
    rest = small / (1.0 + small)
    return one_of(a.low >= 0, 1.0 / (1.0 + small), rest)


# The forwards of ops that do not rise, or that are more than a function of the library.
ELEMENTWISE = {
    "neg": lambda a: -a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "sqrt": lambda a: a.sqrt(),
    "square": lambda a: a._square(),
    "abs": abs,
    "relu": lambda a: a.maximum(0.0),
    "maximum": lambda a, b: a.maximum(b),
    # the exponential's error, and those of a sum and a quotient
    "sigmoid": lambda a: rising(lambda x: 1 / (1 + np.exp(-x)), a, LIBRARY + 4),
    # two functions of the library, and a sum or two
    "softplus": lambda a: rising(lambda x: np.logaddexp(0, x), a, 2 * LIBRARY + 2),
    "binary_cross_entropy_with_logits": lambda a, b: (
        one_of(a.low >= 0, 1.0 - b, -b) * a + rising(np.log1p, rising(np.exp, -abs(a)))
    ),
    "binary_cross_entropy": lambda a, b: -(b * rising(np.log, a) + (1.0 - b) * rising(np.log, 1.0 - a)),
    "erf": lambda a: at_points(erf, a, units=13),
    "erfc": lambda a: at_points(erfc, a, units=8 * (1 + np.max(a.low * a.low, initial=0.0)) + 1),
    "frac": lambda a: at_points(lambda x: x - np.trunc(x), a),
    "huber": lambda a, b: smaller(abs(a), b) * (abs(a) - smaller(abs(a), b) * 0.5),
    "smooth_l1": lambda a, b: smaller(abs(a), b) / b * (abs(a) - smaller(abs(a), b) * 0.5),
    "weighted": lambda a, b: a * b,
    "clone": lambda a: a,
    "minimum": lambda a, b: -(-a).maximum(-b),
    "at_least": lambda a, b: a.maximum(b),
    "at_most": lambda a, b: -(-a).maximum(-b),
    "remainder": lambda a, b: at_points(np.remainder, a, b),
    "floor_divide": lambda a, b: at_points(np.floor_divide, a, b, units=0.0),
    "atan2": lambda a, b: at_points(np.arctan2, a, b),
    "reciprocal": lambda a: 1.0 / a,
    "root": lambda a: a.sqrt(),
    **{
        name: lambda a, name=name: at_points(getattr(np, name), a)
        for name in ("sin", "cos", "tan", "cosh", "sign", "floor", "ceil", "trunc")
    },
    "acos": lambda a: at_points(np.arccos, a),
    "softplus_below": lambda a, b: one_of(a.low > b.low, a, ELEMENTWISE["softplus"](a)),
    "leaky_relu": lambda a, b: one_of(a.low > 0, a, a * b),
    "elu": lambda a, b: one_of(a.low > 0, a, b * at_points(lambda x: np.expm1(np.minimum(x, 0)), a)),
    "silu": lambda a: a * weight_of(a),
    "gelu": lambda a: a * share_below(a),
    "gelu_tanh": lambda a: a * (0.5 * (1.0 + rising(np.tanh, bent(a)))),
    "round": lambda a: at_points(np.rint, a, units=0.0),
}


def weight_of(a):
    """The sigmoid at exact numbers: the exponential's error, and those of a sum and a quotient."""
    return at_points(lambda x: 1 / (1 + np.exp(-x)), a, units=LIBRARY + 4)


def share_below(a):
    """The normal distribution's share below exact numbers.

    Two roundings of the argument z = -a / sqrt(2) move erfc(z) by 4 (1 + z^2) units at most, for |z erfc'(z)| is at
    most 2 (1 + z^2) erfc(z). Its own error is at most 8 (1 + z^2) (kernels/ops/erf.py), and the C library's is less.
    """
    most = np.max(a.low * a.low, initial=0.0) / 2
    return at_points(lambda x: 0.5 * erfc(-x * np.sqrt(0.5)), a, units=12 * (1 + most))


def density(a):
    """Of the normal distribution."""
    most = np.max(a.low * a.low, initial=0.0)
    return at_points(lambda x: np.exp(-x * x / 2), a, units=LIBRARY + most) * rounded(1 / np.sqrt(2 * np.pi), a)


def bell(a):
    """The derivative of erf at exact numbers."""
    most = np.max(a.low * a.low, initial=0.0)
    return at_points(lambda x: np.exp(-x * x), a, units=LIBRARY + 2 * most) * rounded(2 / np.sqrt(np.pi), a)


def bent(a):
    """What GELU by tanh takes the tanh of."""
    return rounded(np.sqrt(2 / np.pi), a) * (a + rounded(0.044715, a) * (a * a * a))


def gelu_tanh_gradient(g, out, a):
    high = rising(np.tanh, bent(a))
    slope = rounded(np.sqrt(2 / np.pi), a) * (1.0 + rounded(3 * 0.044715, a) * (a * a))
    return g * (0.5 * (1.0 + high) + 0.5 * (a * ((1.0 - high._square()) * slope)))


def backward(use, i, g, inputs, out):
    """The part of input i's gradient that comes through a use, in the output's shape where it was broadcast."""
    name, a, b = use.op.name, inputs[0], inputs[-1]
    if name in ("sum", "mean"):
        places, count = reduced(use, a.low)
        g = g / float(count) if name == "mean" else g
        return mapped(lambda x: x.reshape(-1)[places], g)
    if name in ("reshape", "permute", "index"):
        return summed(g, use.op.forward(numbered(a.low.shape), *use.options), a.low.shape)
    if name in ("max", "min"):
        assert (a.low == a.high).all()
        places, _ = reduced(use, a.low)
        chosen = a.low == out.low.reshape(-1)[places]
        share = mapped(lambda x: x.reshape(-1)[places], g) / np.bincount(places[chosen], minlength=out.low.size)[places]
        return one_of(chosen, share, share * 0.0)
    if name == "prod":
        return at_points(
            lambda x: use.op.vjps[0](np.ones(out.low.shape), None, x, *use.options), a, units=a.low.size
        ) * (mapped(lambda x: x.reshape(-1)[reduced(use, a.low)[0]], g))
    if name == "einsum":
        *parts, last = use.options[0]
        others = [(part, e) for j, (part, e) in enumerate(zip(parts, inputs, strict=True)) if j != i]
        labels = (last, *(part for part, _ in others), parts[i])
        return einsum(labels, [g, *(e for _, e in others)], inputs[i].low.shape)
    if name == "cumsum":
        return running(g, use.options[0], lambda x, axis: np.flip(np.cumsum(np.flip(x, axis), axis), axis))
    if name == "where":
        return one_of(a.low if i == 1 else a.low == 0, g, g * 0.0)
    if name == "take_along":
        return summed(g, use.op.forward(a.low.astype(int), numbered(b.low.shape), *use.options), b.low.shape)
    if name == "concatenate":
        axis = use.options[0]
        first = sum(each.low.shape[axis] for each in inputs[:i])
        return mapped(lambda x: np.take(x, range(first, first + inputs[i].low.shape[axis]), axis), g)
    if name == "linear":
        if i == 2:
            return g
        if i == 0:
            return mapped(lambda x: x.reshape(a.low.shape), product(as_rows(g), inputs[1]))
        return product(swapped(as_rows(g)), as_rows(a))
    if name == "matmul":
        left, right = as_matrices(a, b)
        shape = (
            *np.broadcast_shapes(left.low.shape[:-2], right.low.shape[:-2]),
            left.low.shape[-2],
            right.low.shape[-1],
        )
        g = mapped(lambda x: x.reshape(shape), g)
        wide = product(g, swapped(right)) if i == 0 else product(swapped(left), g)
        own = (left, right)[i].low.shape
        return mapped(lambda x: x.reshape(inputs[i].low.shape), unbroadcast(wide, own))
    if name == "mse_loss":
        sign = 1 if i == 0 else -1
        scale = 2 * sign / (a.low.size if use.options[0] == "mean" else 1)
        return (a - b) * (g * scale)
    if name in ("softmax", "log_softmax", "logsumexp"):
        places, _ = reduced(use, a.low)
        if name == "logsumexp":
            top = np.full(out.low.size, -np.inf)
            np.maximum.at(top, places.reshape(-1), a.low.reshape(-1))
            powers = rising(np.exp, a - exact(top[places], a.dtype)) if a.low.size else a
            share = powers / mapped(lambda x: x[places], summed(powers, places, top.shape))
            return mapped(lambda x: x.reshape(-1)[places], g) * share
        groups = (int(places.max(initial=-1)) + 1,)
        terms = g * out if name == "softmax" else g
        sums = mapped(lambda x: x[places], summed(terms, places, groups))
        return out * (g - sums) if name == "softmax" else g - rising(np.exp, out) * sums
    if name == "nll_loss":
        factors = factors_of(use, inputs)
        rows = (factors.low.shape[0], 1, factors.low.shape[2]) if use.options[0] == "none" else (1, 1, 1)
        return mapped(lambda x: x.reshape(b.low.shape), mapped(lambda x: x.reshape(rows), g) * factors)
    if name == "layer_norm":
        (normal, factor), rows = normalized(use, a), of_rows(use, g)
        if i:
            terms = rows * normal if i == 1 else rows
            places = np.broadcast_to(np.arange(terms.low.shape[1]), terms.low.shape)
            return summed(terms, places, inputs[i].low.shape)
        h = rows * mapped(np.ravel, inputs[1]) if len(inputs) > 1 else rows
        out = factor * (h - row_means(h) - normal * row_means(h * normal))
        return mapped(lambda x: x.reshape(a.low.shape), out)
    if name == "pow" and is_square(use):
        return g * (a + a)
    if name == "dropout":
        return dropped(use, g)
    if name == "cast":
        return g._cast(use.inputs[0].dtype, g.roundings)
    return GRADIENTS[name][i](g, out, *inputs) if name in GRADIENTS else use.op.vjps[i](g, out, *inputs)


# The others are the rows' own products, called with enclosures: test_engine_ops.py compares those with derivatives.
GRADIENTS = {
    "abs": (lambda g, out, a: Enclosure.by_sign(a, -g, g * 0.0, g),),
    "relu": (lambda g, out, a: Enclosure.by_sign(a, g * 0.0, g * 0.0, g),),
    "tanh": (lambda g, out, a: g * (1.0 - out._square()),),
    "clone": (lambda g, out, a: g,),
    "maximum": (
        lambda g, out, a, b: Enclosure.by_sign(a - b, g * 0.0, g * 0.5, g),
        lambda g, out, a, b: Enclosure.by_sign(b - a, g * 0.0, g * 0.5, g),
    ),
    "minimum": (
        lambda g, out, a, b: Enclosure.by_sign(a - b, g, g * 0.5, g * 0.0),
        lambda g, out, a, b: Enclosure.by_sign(b - a, g, g * 0.5, g * 0.0),
    ),
    "at_least": (
        lambda g, out, a, b: Enclosure.by_sign(a - b, g * 0.0, g, g),
        lambda g, out, a, b: Enclosure.by_sign(a - b, g, g * 0.0, g * 0.0),
    ),
    "at_most": (
        lambda g, out, a, b: Enclosure.by_sign(a - b, g, g, g * 0.0),
        lambda g, out, a, b: Enclosure.by_sign(a - b, g * 0.0, g * 0.0, g),
    ),
    "remainder": (lambda g, out, a, b: g, lambda g, out, a, b: -g * at_points(np.floor_divide, a, b, units=0.0)),
    "floor_divide": (lambda g, out, a, b: g * 0.0, lambda g, out, a, b: g * 0.0),
    **{name: (lambda g, out, a: g * 0.0,) for name in ("sign", "floor", "ceil", "trunc", "round")},
    "softplus": (lambda g, out, a: g * sigmoid_of(a),),
    "binary_cross_entropy_with_logits": (
        lambda g, out, a, b: g * one_of(a.low >= 0, 1.0 - b - sigmoid_of(-abs(a)), sigmoid_of(-abs(a)) - b),
        lambda g, out, a, b: -g * a,
    ),
    "binary_cross_entropy": (
        lambda g, out, a, b: g * ((a - b) / (a * (1.0 - a))),
        lambda g, out, a, b: g * (rising(np.log, 1.0 - a) - rising(np.log, a)),
    ),
    "erf": (lambda g, out, a: g * bell(a),),
    "erfc": (lambda g, out, a: -g * bell(a),),
    "frac": (lambda g, out, a: g,),
    "huber": (lambda g, out, a, b: g * smaller(a, b).maximum(-b), lambda g, out, a, b: g * (abs(a) - b).maximum(0.0)),
    "smooth_l1": (
        lambda g, out, a, b: g * (smaller(a, b).maximum(-b) / b),
        lambda g, out, a, b: -g * ((smaller(abs(a), b) / b)._square() * 0.5),
    ),
    "softplus_below": (lambda g, out, a, b: one_of(a.low > b.low, g, g * sigmoid_of(a)), lambda g, out, a, b: g * 0.0),
    "leaky_relu": (
        lambda g, out, a, b: one_of(a.low > 0, g, g * b),
        lambda g, out, a, b: one_of(a.low > 0, g * 0.0, g * a),
    ),
    "elu": (
        lambda g, out, a, b: one_of(a.low > 0, g, g * (b * at_points(lambda x: np.exp(np.minimum(x, 0)), a))),
        lambda g, out, a, b: g * at_points(lambda x: np.expm1(np.minimum(x, 0)), a),
    ),
    "silu": (lambda g, out, a: g * (weight_of(a) + weight_of(a) * (a * weight_of(-a))),),
    "gelu": (lambda g, out, a: g * (share_below(a) + a * density(a)),),
    "gelu_tanh": (gelu_tanh_gradient,),
    "sin": (lambda g, out, a: g * at_points(np.cos, a),),
    "cos": (lambda g, out, a: -g * at_points(np.sin, a),),
    "sinh": (lambda g, out, a: g * at_points(np.cosh, a),),
    "cosh": (lambda g, out, a: g * at_points(np.sinh, a),),
    "asin": (lambda g, out, a: g / (1.0 - a._square()).sqrt(),),
    "acos": (lambda g, out, a: -g / (1.0 - a._square()).sqrt(),),
    "asinh": (lambda g, out, a: g / (1.0 + a._square()).sqrt(),),
    "acosh": (lambda g, out, a: g / (a._square() - 1.0).sqrt(),),
    "exp2": (lambda g, out, a: g * (out * rounded(np.log(2), out)),),
    "log2": (lambda g, out, a: g / (a * rounded(np.log(2), a)),),
    "log10": (lambda g, out, a: g / (a * rounded(np.log(10), a)),),
    "root": (lambda g, out, a: g / (out + out),),
    "atan2": (
        lambda g, out, a, b: g * (b / (a._square() + b._square())),
        lambda g, out, a, b: -(g * (a / (a._square() + b._square()))),
    ),
    "pow": (lambda g, out, a, b: g * (b * power(a, b - 1.0)), lambda g, out, a, b: g * (out * rising(np.log, a))),
}
