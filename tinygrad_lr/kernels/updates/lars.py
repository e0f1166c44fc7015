"""LARS: You, Gitman and Ginsburg, 2017, arXiv:1708.03888, Algorithm 1.

    trust = kappa |theta| / (|g| + weight_decay |theta| + eps)
    b <- mu b + kept gain trust (g + weight_decay theta);  theta <- theta - rate b
    Nesterov: theta <- theta - rate (mu b + gain trust (g + weight_decay theta))

The norms are Euclidean, of the whole parameter. Scalars from the host: gain = lr and rate = 1 place the learning rate
inside the buffer, gain = 1 and rate = lr outside; `kept` is 1 - dampening. `in_norm` is the weight decay where it is
measured with the gradient (optax), `below` where it is added to the divisor. `otherwise` is the trust of a parameter
that is 0; where `needs_gradient` is 1, that of a gradient of 0 is 1 (timm), and where `skips` is 1, no decay is added
there (torch_optimizer). `per_lr` is 1 / lr and `most` 1 where trust is clipped (LARC), else 1 and infinity. `adapts` is
0 where trust is 1.
"""

from .._jit import choose, compiled, minimum, ratio, sqrt
from .._measured import MeasuredKernel


@compiled
def decide(
    total,
    other,
    size,
    sign,
    kappa,
    gain,
    rate,
    momentum,
    kept,
    eps,
    decay,
    in_norm,
    below,
    otherwise,
    needs_gradient,
    skips,
    per_lr,
    most,
    adapts,
):
    theta, grad = sqrt(total), sqrt(other)
    trust = ratio(kappa * theta, grad + below * theta + eps, otherwise)
    trust = choose(needs_gradient > 0.0 and grad == 0.0, 1.0, trust)
    trust = choose(adapts > 0.0, minimum(trust * per_lr, most), 1.0)
    return gain * trust, choose(skips > 0.0 and grad == 0.0, 0.0, decay)


@compiled
def measure(
    param,
    grad,
    number,
    sign,
    kappa,
    gain,
    rate,
    momentum,
    kept,
    eps,
    decay,
    in_norm,
    below,
    otherwise,
    needs_gradient,
    skips,
    per_lr,
    most,
    adapts,
):
    grad = sign * grad + in_norm * param
    return param, param, grad, grad


@compiled
def rule(
    param,
    grad,
    factor,
    other,
    sign,
    kappa,
    gain,
    rate,
    momentum,
    kept,
    eps,
    decay,
    in_norm,
    below,
    otherwise,
    needs_gradient,
    skips,
    per_lr,
    most,
    adapts,
):
    return (param - rate * (factor * (sign * grad + other * param)),)


@compiled
def measure_with_buffer(
    param,
    grad,
    buffer,
    number,
    sign,
    kappa,
    gain,
    rate,
    momentum,
    kept,
    eps,
    decay,
    in_norm,
    below,
    otherwise,
    needs_gradient,
    skips,
    per_lr,
    most,
    adapts,
):
    grad = sign * grad + in_norm * param
    return buffer, param, param, grad, grad


@compiled
def momentum_rule(
    param,
    grad,
    buffer,
    factor,
    other,
    sign,
    kappa,
    gain,
    rate,
    momentum,
    kept,
    eps,
    decay,
    in_norm,
    below,
    otherwise,
    needs_gradient,
    skips,
    per_lr,
    most,
    adapts,
):
    buffer = momentum * buffer + kept * (factor * (sign * grad + other * param))
    return param - rate * buffer, buffer


@compiled
def nesterov_rule(
    param,
    grad,
    buffer,
    factor,
    other,
    sign,
    kappa,
    gain,
    rate,
    momentum,
    kept,
    eps,
    decay,
    in_norm,
    below,
    otherwise,
    needs_gradient,
    skips,
    per_lr,
    most,
    adapts,
):
    step = factor * (sign * grad + other * param)
    buffer = momentum * buffer + kept * step
    return param - rate * (step + momentum * buffer), buffer


KERNELS = {
    "plain": MeasuredKernel(rule, (), measure=measure, decide=decide),
    "momentum": MeasuredKernel(momentum_rule, ("momentum_buffer",), measure=measure_with_buffer, decide=decide),
    "nesterov": MeasuredKernel(nesterov_rule, ("momentum_buffer",), measure=measure_with_buffer, decide=decide),
}
