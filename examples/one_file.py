"""The whole idea in one file of plain NumPy: tensors, gradients, a layer, a loss, two optimizers, a learning rate.

    python examples/one_file.py

Read it from top to bottom. It imports nothing of tinygrad_lr; tests/test_one_file.py compares it with the package.
Next: `tinygrad_lr/engine/`, from `ops.py` on, where every op is a row of a table.
"""

import numpy as np


class Tensor:
    """An array that knows its inputs, and `vjp`: the gradients of these, from the gradient of the array itself."""

    def __init__(self, data, inputs=(), vjp=None):
        self.data = np.asarray(data, np.float64)  # replaced, never changed in place: a vjp may need the old values
        self.grad, self.inputs, self.vjp = None, inputs, vjp

    def __add__(self, other):
        return Tensor(self.data + other.data, (self, other), lambda g: (g, g))

    def __sub__(self, other):
        return Tensor(self.data - other.data, (self, other), lambda g: (g, -g))

    def __mul__(self, other):
        a, b = self.data, other.data
        return Tensor(a * b, (self, other), lambda g: (g * b, g * a))

    def mean(self):
        shape, n = self.data.shape, self.data.size
        return Tensor(self.data.mean(), (self,), lambda g: (np.full(shape, g / n),))

    def backward(self):
        """Add this number's gradients to the `.grad` of the leaves: the Tensors without inputs that it depends on.

        Only leaves keep a gradient, so a second call adds the same gradients once more, as it should."""
        if self.data.size != 1:
            raise ValueError(f"backward starts from one number, got shape {self.data.shape}; take .mean() first")
        grads = {self: np.ones_like(self.data)}
        for tensor in reversed(in_order(self)):
            g = grads.pop(tensor)  # complete, because every use of the tensor came before it
            if not tensor.inputs:
                tensor.grad = g if tensor.grad is None else tensor.grad + g
                continue
            for each, part in zip(tensor.inputs, tensor.vjp(g), strict=True):
                part = unbroadcast(part, each.data.shape)
                grads[each] = grads[each] + part if each in grads else part


def in_order(last):
    """All Tensors that `last` depends on, each after its inputs. A stack, not recursion: a graph may be deep."""
    order, seen, stack = [], set(), [(last, False)]
    while stack:
        tensor, inputs_are_in = stack.pop()
        if inputs_are_in:
            order.append(tensor)
        elif tensor not in seen:
            seen.add(tensor)
            stack += [(tensor, True), *((each, False) for each in tensor.inputs)]
    return order


def unbroadcast(g, shape):
    """Sum `g` over the axes along which NumPy repeated an array of this shape: each repetition was a use."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1), keepdims=True)


class Linear:
    """x weight^T + bias."""

    def __init__(self, in_features, out_features, rng):
        bound = 1 / np.sqrt(in_features)
        self.weight = Tensor(rng.uniform(-bound, bound, (out_features, in_features)))
        self.bias = Tensor(rng.uniform(-bound, bound, out_features))

    def __call__(self, x):
        a, w = x.data, self.weight.data
        return Tensor(a.dot(w.T) + self.bias.data, (x, self.weight, self.bias), lambda g: (g.dot(w), g.T.dot(a), g))


def mse_loss(prediction, target):
    if prediction.data.shape != target.data.shape:
        raise ValueError(f"expected equal shapes, got {prediction.data.shape} and {target.data.shape}; reshape one")
    error = prediction - target
    return (error * error).mean()


class SGD:
    """The momentum b sums up past gradients: b <- momentum b + lr g, theta <- theta - b."""

    def __init__(self, params, lr, momentum=0.0):
        self.params, self.lr, self.momentum = params, lr, momentum
        self.b = [np.zeros_like(p.data) for p in params]

    def step(self):
        for i, p in enumerate(self.params):
            self.b[i] = self.momentum * self.b[i] + self.lr * p.grad
            p.data = p.data - self.b[i]


class Adam:
    """Moving averages m of the gradients and v of their squares: theta <- theta - lr m_hat / sqrt(v_hat + eps)."""

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr, self.betas, self.eps, self.t = params, lr, betas, eps, 0
        self.m, self.v = [np.zeros_like(p.data) for p in params], [np.zeros_like(p.data) for p in params]

    def step(self):
        self.t += 1
        (beta1, beta2), m, v = self.betas, self.m, self.v
        for i, p in enumerate(self.params):
            m[i] = beta1 * m[i] + (1 - beta1) * p.grad
            v[i] = beta2 * v[i] + (1 - beta2) * (p.grad * p.grad)
            m_hat, v_hat = m[i] / (1 - beta1**self.t), v[i] / (1 - beta2**self.t)  # they began at 0
            p.data = p.data - self.lr * m_hat / np.sqrt(v_hat + self.eps)


def decay_lr_cosine(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up):
    """Warm-up: a straight line from 0 to base_lr over `warm_up` epochs; then half a cosine down to 0."""
    if epoch_i < warm_up:
        return (epoch_i * total_batches + batch_i) / (warm_up * total_batches) * base_lr
    step, total = (epoch_i - warm_up) * total_batches + batch_i, (total_epochs - warm_up) * total_batches
    return 0.5 * (1 + np.cos(np.pi * step / total)) * base_lr


def train(model, optimizer, x, y, rng, lr, total_epochs=10, warm_up=2, batch_size=10):
    """The article's flow; prints each epoch, returns the loss of every step."""
    losses, total_batches = [], -(-len(x) // batch_size)
    for epoch in range(total_epochs):
        order = rng.permutation(len(x))
        for batch_idx in range(total_batches):
            rows = order[batch_idx * batch_size : (batch_idx + 1) * batch_size]
            optimizer.lr = decay_lr_cosine(lr, epoch, batch_idx, total_epochs, total_batches, warm_up)
            for p in optimizer.params:
                p.grad = None
            loss = mse_loss(model(Tensor(x[rows])), Tensor(y[rows]))
            loss.backward()
            optimizer.step()
            losses.append(loss.data.item())
        print(f"Epoch {epoch + 1:>2}, Learning Rate: {optimizer.lr:.6f}, Loss Value: {loss.data:.6f}")
    return losses


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 10))
    y = x @ rng.normal(size=(10, 1)) + 0.1 * rng.normal(size=(100, 1))  # so that the loss can fall to about 0.01
    model = Linear(10, 1, rng)
    train(model, Adam([model.weight, model.bias], 0.1), x, y, rng, lr=0.1)
