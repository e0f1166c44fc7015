"""The names of Numba that are not public: which one is gone, and that all runs without any of them."""

import json

import numpy as np
import pytest
from startup_cases import compiling, finish, start

from tinygrad_lr.kernels import _cache
from tinygrad_lr.kernels._jit import COMPILER_IS_OFF

if not COMPILER_IS_OFF:
    from tinygrad_lr.kernels import _numba

    LISTS = {"STORE": _numba.STORE, "VIEWS": _numba.VIEWS, "TUPLES": _numba.TUPLES}
else:
    LISTS = {}
NAMES = [name for names in LISTS.values() for name in names.used_for]


@compiling
def test_this_numba_has_all_names():
    gone = {name: what for names in LISTS.values() for name, what in names.used_for.items() if name in lacking(names)}
    assert not gone, "\n".join(f"this Numba has no {name}, which was {what}" for name, what in gone.items())


def lacking(names):
    return _numba.lacking(names)


@compiling
def test_a_name_that_is_gone_is_found_and_said_once(monkeypatch):
    monkeypatch.setattr(_numba, "_found", {})
    names = _numba.Names({"numba.core.runtime.rtsys.initialize": "", "numba.core.no_such.name": ""}, "it is slower")
    assert _numba.lacking(names) == ["numba.core.no_such.name"]
    with pytest.warns(RuntimeWarning, match=r"has no numba\.core\.no_such\.name: it is slower\. A newer") as seen:
        assert not _numba.usable(names) and not _numba.usable(names)
    assert len(seen) == 1
    assert _numba.lacking(_numba.Names({"numba.core.dispatcher.Dispatcher._no_such": ""}, ""))
    assert _numba.lacking(_numba.Names({"no_such_package.name": ""}, ""))


WITHOUT = """
import sys, json, warnings
from tinygrad_lr.kernels import _numba
resolve, hidden = _numba.resolve, sys.argv[1]

def without(name):
    if name == hidden:
        raise AttributeError(name)
    return resolve(name)

_numba.resolve = without
import numpy as np
from tinygrad_lr import nn, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.kernels.updates import adam, sgd
from tinygrad_lr.training import fit
x = np.linspace(-1, 1, 24, dtype="f4").reshape(8, 3)
found = []
for kind, compiled in ((optim.Adam, False), (optim.SGD, False), (optim.SGD, True)):
    weight = tensor(np.full((1, 3), 0.5, "f4"), requires_grad=True)
    loader = DataLoader(TensorDataset(x, x[:, :1] ** 2), 4)
    model = lambda x: (x @ weight.T).tanh()
    fit(model, nn.MSELoss(), kind([weight], lr=0.1), loader, epochs=2, progress=False, compiled=compiled)
    found.append(weight.data.tobytes().hex())
loops = [table["plain"].loop for table in (adam.KERNELS, sgd.KERNELS)]
hits = [sum(loop.stats.cache_hits.values()) for loop in loops]
print(json.dumps([found, hits]))
"""


def run(name, home):
    """What the steps give, the hits of their loops in the cache, and the warnings."""
    said, errors = finish(start(WITHOUT, name, NUMBA_CACHE_DIR=str(home)))
    return *json.loads(said), errors


@pytest.fixture(scope="module")
def with_all():
    found, _, errors = run("", _cache.home())
    assert not errors
    return found


@compiling
@pytest.mark.parametrize("name", NAMES)
def test_without_a_name_its_list_is_not_used(name, monkeypatch):
    resolve = _numba.resolve

    def without(wanted):
        if wanted == name:
            raise AttributeError(wanted)
        return resolve(wanted)

    monkeypatch.setattr(_numba, "resolve", without)
    monkeypatch.setattr(_numba, "_found", {})
    for names in LISTS.values():
        if name in names.used_for:
            with pytest.warns(RuntimeWarning, match=f"has no {name}: {names.without}"):
                assert not _numba.usable(names)
        else:
            assert _numba.usable(names)


@compiling
@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize("name", [next(iter(names.used_for)) for names in LISTS.values()])
def test_all_runs_without_a_name(name, with_all, tmp_path):
    """With the same results, from Numba's own cache too, and one warning. Loops of two rules are not mixed there."""
    for expected in ([0, 0], [1, 1]):
        found, hits, errors = run(name, tmp_path)
        numbers = [np.frombuffer(bytes.fromhex(each), "f4") for each in found]
        assert all(map(np.allclose, numbers, [np.frombuffer(bytes.fromhex(each), "f4") for each in with_all]))
        assert found[:2] == with_all[:2], "eager steps have the same bits"
        assert errors.count("RuntimeWarning: ") == 1 and f"has no {name}: " in errors, errors
        assert hits == expected
    assert list(tmp_path.rglob("*.nbi" if name in _numba.STORE.used_for else "*.kernel"))
