"""Wrong in a layout: memory that is read or written as if it were contiguous. Next: steps.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene
from .subjects import Subject, claims, optimizer


def memory_order(g):
    """Elements in the order in which they lie in memory (Fortran's arrays and transposed ones)."""
    return np.ravel(g, order="K").reshape(g.shape) if g.ndim else g


def from_the_start(g):
    """The first elements of the memory that a view looks into."""
    base = g.base
    if base is None or not isinstance(base, np.ndarray) or base.size < g.size or base.dtype != g.dtype:
        return g
    return np.ravel(base, order="K")[: g.size].reshape(g.shape)


def strides_of_the_parameter(g):
    """A gradient whose axes are taken for the other way round where its memory says so."""
    return g.T.reshape(g.shape) if g.ndim > 1 and g.flags.f_contiguous and not g.flags.c_contiguous else g


def reversed_forwards(g):
    """Negative strides read forwards."""
    return g[::-1] if g.ndim and g.strides[0] < 0 else g


def first_for_all(g):
    """A broadcast gradient, whose strides are 0, of which only the first is taken for more than one."""
    return np.where(np.arange(g.size).reshape(g.shape) == 0, g, 0) if g.ndim and g.size and 0 in g.strides else g


def reads(read: Callable) -> type[Subject]:
    class ReadsOtherwise(Subject):
        def update(self, i, g, hyperparameters):
            super().update(i, np.asarray(read(g), g.dtype), hyperparameters)

    return ReadsOtherwise


class WritesThroughACopy(Subject):
    """A flattened parameter is a copy where memory is not contiguous, and what is written there is lost."""

    def write(self, i, theta, state):
        before = self.params[i].copy(order="K")
        super().write(i, theta, state)
        if not self.params[i].flags.c_contiguous:
            self.params[i][...] = before


class WritesInMemoryOrder(Subject):
    """New values are written in the order of memory."""

    def write(self, i, theta, state):
        super().write(i, theta, state)
        p = self.params[i]
        if p.ndim and not p.flags.c_contiguous:
            p[...] = np.ravel(np.array(p), order="C").reshape(p.shape, order="F")


class StateInMemoryOrder(Subject):
    """The moments have the gradient's layout, and are read as if contiguous."""

    def write(self, i, theta, state):
        super().write(i, theta, state)
        if self.fortran:
            for key, value in self.state[i].items():
                if key != "step" and np.ndim(value) > 1:
                    value[...] = np.ravel(value, order="F").reshape(value.shape)

    def update(self, i, g, hyperparameters):
        self.fortran = g.ndim > 1 and not g.flags.c_contiguous
        super().update(i, g, hyperparameters)


class SkipsReadOnly(Subject):
    def update(self, i, g, hyperparameters):
        if g.flags.writeable:
            super().update(i, g, hyperparameters)


# kind -> (the subject, the layout in which it shows)
KINDS: dict[str, tuple[type[Subject], str]] = {
    "reads gradients in the order of memory": (reads(memory_order), "fortran"),
    "reads gradients from the start of their memory": (reads(from_the_start), "strided"),
    "takes transposed gradients for contiguous ones": (reads(strides_of_the_parameter), "fortran"),
    "reads reversed gradients forwards": (reads(reversed_forwards), "reversed"),
    "reads one element of a broadcast gradient": (reads(first_for_all), ""),
    "writes parameters through a copy": (WritesThroughACopy, "fortran"),
    "writes parameters in the order of memory": (WritesInMemoryOrder, "fortran"),
    "keeps moments in the gradient's layout": (StateInMemoryOrder, "fortran"),
    "skips read-only gradients": (SkipsReadOnly, ""),
}


@family(
    "layouts", "Strided, transposed, reversed, broadcast or read-only arrays are read or written as contiguous ones."
)
def layouts(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        for kind, (subject, layout) in KINDS.items():
            shape = (2, 4) if layout != "reversed" or claim.family.dimensions else (5,)
            scenes = (Scene({"lr": 0.05}, (shape,), layout=layout),) if layout else (Scene({"lr": 0.05}, (shape,)),)
            found = optimizer("layouts", kind, claim.name, claim, subject, scenes)
            # what needs a layout that no scene has differs by its construction
            yield found if layout else type(found)(found.family, found.kind, found.place, found.check)
