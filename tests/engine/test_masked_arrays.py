"""Arrays with masked elements are refused, never taken without their mask; other subclasses mean what they hold."""

import numpy as np
import pytest

from tinygrad_lr import Tensor, nn, tensor
from tinygrad_lr.data import TensorDataset


def masked():
    return np.ma.array(np.ones((1, 2), np.float32), mask=[[False, True]])


TAKES = {
    "tensor": lambda w, array: tensor(array),
    "Tensor": lambda w, array: Tensor(array, dtype="float64"),
    ".grad": lambda w, array: setattr(w, "grad", array),
    ".data": lambda w, array: setattr(w, "data", array),
    "backward": lambda w, array: (w * 2.0).backward(array),
    "* array": lambda w, array: w * array,
    "maximum": lambda w, array: w.maximum(array),
    "comparison": lambda w, array: w > array,
    "array *": lambda w, array: array * w,
    "loss": lambda w, array: nn.MSELoss()(w, array),
    "layer": lambda w, array: nn.Linear(2, 1)(array),
    "dataset": lambda w, array: TensorDataset(array, array),
}


@pytest.mark.parametrize("where", TAKES)
def test_masked_elements_are_refused_everywhere(where):
    w = tensor([[1.0, 2.0]], requires_grad=True)
    with pytest.raises(TypeError, match=r"masked .* fill (them|it), as in array.filled\(0.0\)"):
        TAKES[where](w, masked())
    assert w.tolist() == [[1.0, 2.0]] and w.grad is None


@pytest.mark.parametrize("where", TAKES)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", ["nothing masked", "matrix", "memmap", "read-only"])
def test_other_arrays_mean_what_they_hold(where, kind, tmp_path):
    plain = np.array([[3.0, 4.0]], np.float32)
    given = {
        "nothing masked": lambda: np.ma.array(plain, mask=False),
        "matrix": lambda: np.asmatrix(plain),
        "memmap": lambda: np.memmap(tmp_path / "x", np.float32, "w+", shape=(1, 2)),
        "read-only": lambda: np.broadcast_to(plain, (1, 2)),
    }[kind]()
    if kind == "memmap":
        given[:] = plain
    if kind == "nothing masked" and where == "array *":  # numpy.ma does not ask the Tensor
        with pytest.raises(TypeError, match=r"array.filled\(0.0\) \* tensor"):
            given * tensor([[1.0, 2.0]])
        return
    w, other = (tensor([[1.0, 2.0]], requires_grad=True) for _ in range(2))
    found, expected = TAKES[where](w, given), TAKES[where](other, plain)
    assert w.tolist() == other.tolist() and str(w.grad) == str(other.grad)
    if isinstance(expected, Tensor) and where != "layer":
        assert found.tolist() == expected.tolist() and type(found._data) is np.ndarray


@pytest.mark.parametrize("array", [np.ones((1, 2), object), np.array([["1", "2"]]), np.ones((1, 2), complex)], ids=str)
def test_arrays_of_no_real_numbers_are_refused(array):
    w = tensor([[1.0, 2.0]], requires_grad=True)
    for where in ("tensor", ".grad", ".data", "backward", "* array"):
        with pytest.raises(TypeError):
            TAKES[where](w, array)
