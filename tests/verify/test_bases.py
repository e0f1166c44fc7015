"""SOAP, and the bounds of eigenvectors and orthonormal factors that it needs."""

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify.bounds.enclosure import Enclosure
from tinygrad_lr.verify.formulas.numbers import descending, drifted, eigenvectors, orthonormal, taken
from tinygrad_lr.verify.properties.one_step import formula_ratio
from tinygrad_lr.verify.properties.rounding import computes_in_float64
from tinygrad_lr.verify.protocol import Broken, Case, NotApplicable


def signed_like(columns, model):
    """Columns with the signs that other columns have."""
    return columns * np.sign(np.sum(columns * model, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bases_of_every_library_lie_between_the_ends_and_the_ends_are_near(dtype):
    rng = np.random.default_rng(3)
    spread = 10 * float(np.finfo(dtype).eps)
    for n in (1, 2, 3, 5) * 8:
        g = rng.normal(size=(n, n)).astype(dtype)
        square = g @ g.T
        ends = eigenvectors(Enclosure.exact(square, dtype))
        q, _ = np.linalg.qr(g)
        for found in (
            np.linalg.svd(g.astype(np.float64))[0],
            eigenvectors(square),
            eigenvectors(square + spread * np.linalg.norm(square) * np.eye(n, dtype=dtype)),
        ):
            assert ends.contains(signed_like(found, np.nan_to_num(ends.middle))).all()
        values = np.linalg.eigvalsh(square.astype(np.float64))
        if n > 1 and np.diff(values).min() > 0.05 * values[-1]:
            assert (ends.high - ends.low).max() < 2e4 * n * np.finfo(dtype).eps
        factor = orthonormal(Enclosure.exact(g, dtype))
        assert factor.contains(signed_like(q, np.nan_to_num(factor.middle))).all()
        assert factor.contains(orthonormal(g)).all()
        there = q.T @ g
        assert drifted(Enclosure.exact(g, dtype)).contains(q @ there).all()


def test_no_claim_is_made_of_a_plane_of_eigenvectors_or_of_an_undecided_order():
    plane = eigenvectors(Enclosure.exact(np.diag([1.0, 1.0, 5.0])))
    assert plane.no_claim.all(0).tolist() == [False, True, True]
    assert eigenvectors(Enclosure.exact(np.full((2, 2), np.nan))).no_claim.all()
    undecided = descending(Enclosure([[1.0, 2.0]], [[3.0, 4.0]]))
    assert taken(Enclosure.exact(np.eye(2)), undecided, 1).no_claim.all()
    decided = descending(Enclosure([[1.0, 4.0]], [[3.0, 5.0]]))
    assert taken(Enclosure.exact(np.eye(2)), decided, 1).low.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert (
        np.isnan(eigenvectors(np.full((2, 2), np.inf))).all() and np.isnan(orthonormal(np.full((2, 2), np.inf))).all()
    )


class Soap:
    """SOAP as its authors have it: the momentum in the eigenbasis; here with other signs of the eigenvectors."""

    def __init__(self, params, lr=3e-3, betas=(0.95, 0.95), eps=1e-8, weight_decay=0.01, update_period=10):
        self.params, self.t = [np.array(p) for p in params], 0
        self.lr, self.betas, self.eps, self.decay, self.period = lr, betas, eps, weight_decay, update_period
        self.state = [None] * len(params)

    def step(self, grads):
        for i, g in enumerate(grads):
            if g is not None:
                self.update(i, np.array(g))

    def update(self, i, g):
        b1, b2 = self.betas
        if self.state[i] is None:
            m, v, t, bases = 0 * g, 0 * g, 0, None
            averages = [(1 - b2) * g @ g.T, (1 - b2) * g.T @ g]
        else:
            m, v, t, averages, bases = self.state[i]
            t += 1
            turned = bases[0].T @ g @ bases[1]
            m, v = b1 * m + (1 - b1) * turned, b2 * v + (1 - b2) * turned**2
            rate = self.lr * np.sqrt(1 - b2**t) / (1 - b1**t)
            self.params[i] -= rate * bases[0] @ (m / (np.sqrt(v) + self.eps)) @ bases[1].T
            self.params[i] -= self.lr * self.decay * self.params[i]
            averages = [b2 * a + (1 - b2) * x for a, x in zip(averages, (g @ g.T, g.T @ g), strict=True)]
        if bases is None:
            bases = [-np.linalg.eigh(a)[1][:, ::-1] for a in averages]
        elif t % self.period == 0:
            m, v, bases = self.turned(m, v, averages, bases)
        self.state[i] = m, v, t, averages, bases

    def turned(self, m, v, averages, bases):
        """The moments and bases after an update of the bases."""
        products = [a @ q for a, q in zip(averages, bases, strict=True)]
        orders = [np.argsort(-np.sum(q * p, 0)) for q, p in zip(bases, products, strict=True)]
        following = [np.linalg.qr(p[:, order])[0] for p, order in zip(products, orders, strict=True)]
        straight = bases[0] @ m @ bases[1].T
        return following[0].T @ straight @ following[1], v[orders[0]][:, orders[1]], following


class StaysInTheOldBasis(Soap):
    """Its momentum is not turned when the bases are."""

    def turned(self, m, v, averages, bases):
        return m, *super().turned(m, v, averages, bases)[1:]


class SortsTheBasesAlone(Soap):
    """Its second moments keep their places when the columns of the bases are sorted."""

    def turned(self, m, v, averages, bases):
        m, _, bases = super().turned(m, v, averages, bases)
        return m, v, bases


class MovesAtOnce(Soap):
    """It takes a step with the first gradient, too."""

    def update(self, i, g):
        first = self.state[i] is None
        super().update(i, g)
        if first:
            super().update(i, g)


WRONG = (StaysInTheOldBasis, SortsTheBasesAlone, MovesAtOnce)


@pytest.mark.parametrize("kind", [Soap, *WRONG])
def test_soap_passes_whatever_the_signs_of_its_eigenvectors_and_its_mistakes_are_found(kind):
    claim = verify.spec("soap", update_period=1, sorted_basis=True, betas=(0.9, 0.5))
    rng = np.random.default_rng(5)
    shapes = ((3, 3), (2, 3), (1, 2), (0, 2))
    grads = [[rng.normal(size=shape) for shape in shapes] for _ in range(6)]
    case = Case(claim, [rng.normal(size=shape) for shape in shapes], grads)

    def make(params, **hyperparameters):
        known = ("lr", "betas", "eps", "weight_decay", "update_period")
        return kind(params, **{key: hyperparameters[key] for key in known})

    if kind in WRONG:
        with pytest.raises(Broken, match="theta after step [1-6] of parameter 0"):
            formula_ratio(make, case)
        return
    found = formula_ratio(make, case)
    assert 0 < found <= 1 and "an eigenvector has no sign" in found.note
    assert computes_in_float64(make, case)
    case = Case(
        claim, [p.astype(np.float32) for p in case.params], [[g.astype(np.float32) for g in row] for row in grads]
    )
    with pytest.raises(NotApplicable, match="too wide to say anything in float32"):
        formula_ratio(make, case)
