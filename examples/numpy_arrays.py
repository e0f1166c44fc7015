"""Your own NumPy arrays and your own gradient, with no model at all: an optimizer is enough.

    python examples/numpy_arrays.py

We look for the point of the plane where Rosenbrock's banana-shaped valley is lowest, (1, 1), whose gradient we write
down ourselves. An optimizer needs two things of a Tensor: its values, and the gradient that we assign.
"""

import numpy as np

from tinygrad_lr import optim, tensor


def rosenbrock(point):
    """(1 - x)^2 + 100 (y - x^2)^2 and its gradient, an array of shape (2,)."""
    x, y = point
    value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    gradient = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
    return value, gradient


def main():
    """Descend with each optimizer; returns name -> (point reached, value there)."""
    start = np.array([-1.5, 2.0])  # float64 stays float64
    choices = {
        "sgd": lambda point: optim.SGD([point], lr=5e-4, momentum=0.9),
        "adagrad": lambda point: optim.Adagrad([point], lr=0.5),
        "rmsprop": lambda point: optim.RMSprop([point], lr=1e-3),
        "adam": lambda point: optim.Adam([point], lr=0.02),
    }
    results = {}
    for name, build in choices.items():
        point = tensor(start, requires_grad=True)
        optimizer = build(point)
        for _ in range(4000):
            _, point.grad = rosenbrock(point.data)
            optimizer.step()
        value, _ = rosenbrock(point.data)
        results[name] = (point.data.copy(), value)
        print(f"{name:<8} reached ({point.data[0]:.4f}, {point.data[1]:.4f}), where the value is {value:.2e}")
    return results


if __name__ == "__main__":
    main()
