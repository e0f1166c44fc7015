"""Adam: Kingma and Ba, ICLR 2015, arXiv:1412.6980, Algorithm 1. AMSGrad: Reddi, Kale and Kumar, arXiv:1904.09237.

    m <- beta1 m + (1 - beta1) g
    v <- beta2 v + (1 - beta2) g * g
    theta <- theta - (lr / correction1) m / (sqrt(v / correction2 + eps_in) + eps_out)
    AMSGrad: v_max <- max(v_max, v / max_correction), and v_max takes the place of v in the last line

Scalars from the host, in float64 until they are cast to the arrays' dtype: rate = lr / correction1 and
inverse2 = 1 / correction2 with correction_i = 1 - beta_i^t (a division costs as much as all the rest); one of
`eps_in` (the article: inside the root) and `eps_out` (the paper: outside; keras: divided by sqrt(correction2)) is
zero, so that the placement of epsilon needs no branch; AMSGrad's dialects set max_correction and the corrections.
AdamW (Loshchilov and Hutter, arXiv:1711.05101) is this rule with shrink = 1 - lr * weight_decay and weight_decay = 0;
sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import compiled, maximum, sqrt
from .._kernel import Kernel


@compiled
def descended(param, m, v, rate, inverse2, eps_in, eps_out):
    return param - rate * m / (sqrt(v * inverse2 + eps_in) + eps_out)


@compiled
def rule(
    param,
    grad,
    m,
    v,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse2,
    eps_in,
    eps_out,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    m = beta1 * m + one_minus_beta1 * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    return descended(shrink * param, m, v, rate, inverse2, eps_in, eps_out), m, v


@compiled
def amsgrad_rule(
    param,
    grad,
    m,
    v,
    v_max,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse2,
    max_correction,
    eps_in,
    eps_out,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    m = beta1 * m + one_minus_beta1 * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    v_max = maximum(v_max, v / max_correction)
    return descended(shrink * param, m, v_max, rate, inverse2, eps_in, eps_out), m, v, v_max


KERNELS = {
    "plain": Kernel(rule, ("exp_avg", "exp_avg_sq")),
    "amsgrad": Kernel(amsgrad_rule, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")),
}
