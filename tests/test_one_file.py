"""examples/one_file.py gives the package's numbers.

Where both round in the same order, the bits are equal. Elsewhere the bound follows from the count of roundings.

U is the unit roundoff of float64. A sum of n terms, in any order, is off by gamma(n - 1) times the sum of their
magnitudes (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).
"""

import ast
import runpy
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import Tensor, functional, nn, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.schedules import cosine, decay_lr_cosine, from_function, warmup
from tinygrad_lr.training import fit

PATH = Path(__file__).parent.parent / "examples" / "one_file.py"
U = 2.0**-53


@pytest.fixture(scope="module")
def one_file():
    """The example's names, without its training."""

    class Names:
        vars().update(runpy.run_path(str(PATH)))

    return Names


def gamma(n):
    return n * U / (1 - n * U)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def parameter(values):
    return tensor(values, dtype="float64", requires_grad=True)


def test_it_is_short_and_needs_only_numpy():
    text = PATH.read_text(encoding="utf-8")
    assert text.count("\n") <= 150
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["import numpy as np"]


def test_it_trains(capsys):
    names = runpy.run_path(str(PATH), run_name="__main__")
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 10 and out[0].startswith("Epoch  1, Learning Rate: 0.045000, Loss Value: ")
    assert names["model"].weight.data.shape == (1, 10)
    assert out[-1].endswith(tuple(f"Loss Value: 0.0{digit}" + out[-1][-4:] for digit in "012"))


# Gradients.

SHAPES = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 2), (3, 1)), ((2, 3), ())]
EXPRESSIONS = {  # no Tensor is used more than twice: two parts have one sum, in whatever order they are added
    "add": lambda a, b: (a + b).mean(),
    "sub": lambda a, b: (a - b).mean(),
    "mul": lambda a, b: (a * b).mean(),
    "square": lambda a, b: (a * a - b).mean(),
    "diamond": lambda a, b: diamond(a * b).mean(),
    "both": lambda a, b: ((a + b) * (a - b)).mean(),
}


def diamond(c):
    d = c * c
    return d * (c + d)


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_gradients_have_the_packages_bits(one_file, name, shapes):
    arrays = [draw(*shape, seed=i) for i, shape in enumerate(shapes)]
    mine, theirs = [one_file.Tensor(a) for a in arrays], [parameter(a) for a in arrays]
    results = [EXPRESSIONS[name](*leaves) for leaves in (mine, theirs)]
    assert results[0].data == results[1].item()
    for result in results:
        result.backward()
    for a, b in zip(mine, theirs, strict=True):
        assert a.grad.shape == a.data.shape
        np.testing.assert_array_equal(a.grad, b.grad, strict=True)


def test_a_value_that_is_used_many_times(one_file):
    arrays = draw(5, seed=1), *(draw(5, seed=i) for i in range(2, 9))
    grads = []
    for make in (one_file.Tensor, parameter):
        leaf, *others = (make(a) for a in arrays)
        total = leaf * others[0]
        for other in others[1:]:
            total = other * leaf + total
        total.mean().backward()
        grads.append(leaf.grad)
    magnitudes = sum(abs(a) for a in arrays[1:]) / 5
    # Seven products of one rounding each with a rounded 1/5, added up: gamma(2 + 6) on both sides.
    assert (abs(grads[0] - grads[1]) <= 2 * gamma(8) * magnitudes).all()


@pytest.mark.parametrize("rows, outputs", [(1, 1), (10, 1), (7, 3)])
def test_linear_and_mse(one_file, rows, outputs):
    layer = one_file.Linear(10, outputs, np.random.default_rng(0))
    assert layer.weight.data.shape == (outputs, 10) and layer.bias.data.shape == (outputs,)
    assert max(abs(layer.weight.data).max(), abs(layer.bias.data).max()) <= 10**-0.5
    x, y = draw(rows, 10, seed=1), draw(rows, outputs, seed=2)
    loss = one_file.mse_loss(layer(one_file.Tensor(x)), one_file.Tensor(y))
    loss.backward()
    weight, bias = parameter(layer.weight.data), parameter(layer.bias.data)
    expected = functional.mse_loss(functional.linear(Tensor(x), weight, bias), Tensor(y))
    expected.backward()
    # n squares, each rounded once, are added up and divided: NumPy adds in pairs, the package in BLAS's order.
    assert abs(loss.data - expected.item()) <= 2 * gamma(y.size + 1) * loss.data
    # 2 (1/n) e is e (2/n) to the bit, because doubling does not round; the products are the same calls.
    np.testing.assert_array_equal(layer.weight.grad, weight.grad, strict=True)
    np.testing.assert_array_equal(layer.bias.grad, bias.grad, strict=True)


def test_a_second_backward_adds_the_same_gradients(one_file):
    leaf = one_file.Tensor(draw(4))
    product = leaf * leaf
    loss = (product * product + leaf).mean()
    loss.backward()
    once = leaf.grad
    loss.backward()
    assert product.grad is loss.grad is None
    np.testing.assert_array_equal(leaf.grad, once + once)


def test_backward_has_the_values_of_the_forward_pass(one_file):
    """An optimizer's step between the two changes nothing: it replaces the arrays that the graph holds."""
    leaf = one_file.Tensor(draw(4))
    loss = (leaf * leaf * leaf).mean()
    loss.backward()
    once = leaf.grad
    for build in (one_file.SGD, one_file.Adam):
        build([leaf], lr=0.1).step()
        leaf.grad = None
        loss.backward()
        np.testing.assert_array_equal(leaf.grad, once)


def test_depth_is_no_limit_and_every_tensor_is_visited_once(one_file):
    start = total = one_file.Tensor(1.0)
    for _ in range(50):  # 2^50 paths
        total = total + total
    for _ in range(20_000):
        total = total + one_file.Tensor(0.0)
    total.backward()
    assert start.grad == 2.0**50


def test_mistakes_are_errors(one_file):
    with pytest.raises(ValueError, match=r"got shape \(3,\); take .mean\(\) first"):
        one_file.Tensor(draw(3)).backward()
    with pytest.raises(ValueError, match=r"equal shapes, got \(3, 1\) and \(3,\)"):
        one_file.mse_loss(one_file.Tensor(draw(3, 1)), one_file.Tensor(draw(3)))


# Optimizers, from the same gradients, which do not depend on the parameters: differences add up, and do not grow.


def steps_of(one_file, name, options, steps=30, **package):
    """Yields after each step: the example's optimizer and parameter, and the package's optimizer and parameter."""
    start, rates = draw(50), 10.0 ** draw(steps, seed=1)
    mine, theirs = one_file.Tensor(start), parameter(start)
    ours = getattr(one_file, name)([mine], lr=0.1, **options)
    packages = getattr(optim, name)([theirs], lr=0.1, **options, **package)
    for step in range(steps):
        ours.lr = packages.param_groups[0]["lr"] = float(rates[step])
        mine.grad = draw(50, seed=100 + step) * 10.0 ** draw(50, seed=200 + step)
        theirs.grad = mine.grad
        ours.step()
        packages.step()
        yield ours, mine.data, packages, theirs.data


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_sgd_has_the_packages_bits(one_file, momentum):
    for _, mine, _, theirs in steps_of(one_file, "SGD", {"momentum": momentum}):
        np.testing.assert_array_equal(mine, theirs, strict=True)


def flat(arrays):
    return np.concatenate([a.ravel() for a in arrays])


def adam_rounding(adam):
    """What two correct computations of the example's last step can differ by, from equal theta, m and v.

    Of the update lr m_hat / sqrt(v_hat + eps) the example rounds m_hat, times lr, v_hat, + eps, the root and the
    quotient; the two under the root count half: 5 in all. The package rounds lr / c1, times m, 1 / c2, times v, + eps,
    the root and the quotient: 5.5. Both round the subtraction.
    """
    (beta1, beta2), m, v = adam.betas, flat(adam.m), flat(adam.v)
    update = adam.lr * m / (1 - beta1**adam.t) / np.sqrt(v / (1 - beta2**adam.t) + adam.eps)
    return gamma(11) * abs(update) + 2 * gamma(1) * abs(flat(p.data for p in adam.params))


def adam_differences(one_file, options, **package):
    """After each step: the largest difference over what is allowed."""
    allowed, found = 0.0, []
    for ours, mine, packages, theirs in steps_of(one_file, "Adam", options, **package):
        state = packages.state_dict()["state"][0]
        np.testing.assert_array_equal(ours.m[0], state["exp_avg"], strict=True)
        np.testing.assert_array_equal(ours.v[0], state["exp_avg_sq"], strict=True)
        allowed = allowed + adam_rounding(ours)
        found.append((abs(mine - theirs) / allowed).max())
    return found


@pytest.mark.parametrize(
    "options", [{}, {"betas": (0.5, 0.75), "eps": 1e-3}, {"betas": (0.0, 0.0), "eps": 1.0}], ids=str
)
def test_adam_is_the_articles_to_the_last_digits(one_file, options):
    assert max(adam_differences(one_file, options)) <= 1


def test_the_bound_tells_where_epsilon_stands(one_file):
    assert adam_differences(one_file, {}, dialect="torch")[0] > 1


# The learning rate.


@pytest.mark.parametrize("epochs, batches, warm_up", [(10, 10, 2), (7, 3, 5), (4, 1, 0), (3, 13, 1)])
def test_the_rate_has_the_packages_bits(one_file, epochs, batches, warm_up):
    schedule = warmup(warm_up * batches).then(cosine((epochs - warm_up) * batches))
    for step in range(epochs * batches):
        arguments = (0.1, *divmod(step, batches), epochs, batches, warm_up)
        rate = one_file.decay_lr_cosine(*arguments)
        assert rate == decay_lr_cosine(*arguments)
        assert abs(rate - schedule(step) * 0.1) <= 10 * U * 0.1  # the roundings of the printed cosine: article.py


# Whole trainings, from equal weights and on equal batches.


class Orders:
    """Stands in for a generator: its permutations are the orders of a loader's epochs."""

    def __init__(self, loader):
        self.loader, self.epochs = loader, count()

    def permutation(self, n):
        return self.loader.order(next(self.epochs))


def trained(one_file, name, options, lr, epochs=10, warm_up=2, watched=lambda optimizer, *_: optimizer, **package):
    """The example's training and the package's: (weight, bias, losses) of each."""
    x = draw(100, 10)
    y = x @ draw(10, 1, seed=1) + 0.1 * draw(100, 1, seed=2)
    loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True, seed=0)
    mine, theirs = one_file.Linear(10, 1, np.random.default_rng(3)), nn.Linear(10, 1).to("float64")
    theirs.weight.data, theirs.bias.data = mine.weight.data, mine.bias.data

    ours = getattr(one_file, name)([mine.weight, mine.bias], lr=lr, **options)
    ours = watched(ours, x, y, loader)
    losses = one_file.train(mine, ours, x, y, Orders(loader), lr, epochs, warm_up)

    optimizer = getattr(optim, name)(theirs.parameters(), lr=lr, **options, **package)
    steps = len(loader)
    schedule = from_function(lambda step: decay_lr_cosine(1.0, *divmod(step, steps), epochs, steps, warm_up))
    history = fit(theirs, nn.MSELoss(), optimizer, loader, epochs=epochs, schedule=schedule, progress=False)
    return (mine.weight.data, mine.bias.data, losses), (theirs.weight.data, theirs.bias.data, history.loss)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_training_with_sgd_ends_at_the_packages_bits(one_file, capsys, momentum):
    mine, theirs = trained(one_file, "SGD", {"momentum": momentum}, 0.01)
    np.testing.assert_array_equal(mine[0], theirs[0], strict=True)
    np.testing.assert_array_equal(mine[1], theirs[1], strict=True)
    assert len(mine[2]) == 100 and mine[2][-1] < 0.1 * mine[2][0]
    np.testing.assert_allclose(mine[2], theirs[2], rtol=2 * gamma(11), atol=0)


class AdamCarrying:
    """The example's Adam on a Linear(10, 1), carrying along how far two correct trainings can come apart.

    With the bias as one more column of x, g = (2/n) x^T (x theta - y). A step rounds g, m, v and theta, on both sides.
    Each rounding of each element is a column of `theta`, `m` and `v`: what the derivative of the later steps has made
    of it. Second derivatives would add some 1e-30. The worst case is the sum of the columns' sizes.
    """

    def __init__(self, adam, x, y, loader):
        self.adam, self.x, self.y, self.loader = adam, np.hstack([x, np.ones((len(x), 1))]), y[:, 0], loader
        self.params, self.lr = adam.params, adam.lr
        self.theta = self.m = self.v = np.zeros((self.x.shape[1], 0))

    def worst(self):
        return abs(self.theta).sum(axis=1)

    def step(self):
        adam, (beta1, beta2) = self.adam, self.adam.betas
        epoch, batch_idx = divmod(adam.t, len(self.loader))
        n = self.loader.batch_size
        rows = self.loader.order(epoch)[batch_idx * n : (batch_idx + 1) * n]
        x, y, theta, m = self.x[rows], self.y[rows], flat(p.data for p in self.params), flat(adam.m)
        g = flat(p.grad for p in self.params)
        adam.lr = self.lr
        adam.step()
        c1, c2 = 1 - beta1**adam.t, 1 - beta2**adam.t
        v, m_hat = flat(adam.v), flat(adam.m) / c1
        root = np.sqrt(v / c2 + adam.eps)

        error = gamma(12) * (abs(x) @ abs(theta) + abs(y))  # ten products, the bias, the target
        of_g = 2 * (2 / n) * abs(x.T) @ (error + gamma(n + 2) * abs(x @ theta - y))
        of_m = 2 * gamma(2) * (beta1 * abs(m) + (1 - beta1) * abs(g))
        of_v = 2 * gamma(3) * v
        of_theta = adam_rounding(adam)
        sources = [np.zeros((len(theta), 4 * len(theta))) for _ in range(4)]
        for i, size in enumerate((of_g, of_m, of_v, of_theta)):
            sources[i][:, i * len(theta) : (i + 1) * len(theta)] = np.diag(size)
        g_now, m_now, v_now, theta_now = sources

        dg = np.hstack([2 / n * x.T @ (x @ self.theta), g_now])
        self.m = np.hstack([beta1 * self.m, m_now]) + (1 - beta1) * dg
        self.v = np.hstack([beta2 * self.v, v_now]) + 2 * (1 - beta2) * g[:, None] * dg
        by_m, by_v = -adam.lr / (c1 * root), adam.lr * m_hat / (2 * c2 * root**3)
        self.theta = np.hstack([self.theta, theta_now]) + by_m[:, None] * self.m + by_v[:, None] * self.v


@pytest.mark.parametrize("dialect", ["article", "torch"])
def test_a_training_with_adam_ends_where_the_packages_does(one_file, capsys, dialect):
    """The bound is some 6e-14 after a hundred steps; torch's place of epsilon is told from rounding by it."""
    made = []

    def watched(*arguments):
        made.append(AdamCarrying(*arguments))
        return made[0]

    (weight, bias, losses), theirs = trained(one_file, "Adam", {}, 0.1, watched=watched, dialect=dialect)
    assert losses[-1] < 0.1 * losses[0]
    difference, bound = abs(flat((weight, bias)) - flat(theirs[:2])), made[0].worst()
    assert bound.max() < 1e-13
    assert (difference <= bound).all() == (dialect == "article")
