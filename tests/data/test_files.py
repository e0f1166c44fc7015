"""Writing files whole or not at all, and arrays in them."""

import os

import numpy as np
import pytest

from tinygrad_lr import nn, optim
from tinygrad_lr.files import save_arrays, write_bytes

NUMBERS = np.arange(12, dtype=np.float32).reshape(3, 4)
SHAPES = {
    "scalar": np.array(1.5, np.float32),
    "NumPy scalar": np.float64(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "no rows and no axes to speak of": np.zeros((2, 0, 1)),
    "every second": NUMBERS[:, ::2],
    "backwards": NUMBERS[::-1],
    "repeated": np.broadcast_to(NUMBERS[0], (5, 4)),
    "Fortran": np.asfortranarray(NUMBERS),
    "Fortran, three axes": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    "big-endian": NUMBERS.astype(">f4"),
    "big-endian scalar": np.array(-3, ">i8"),
    **{kind: np.array([[0, 1], [254, 255]]).astype(kind) for kind in ("uint8", "uint16", "float16", "float64", "bool")},
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_array_comes_back_as_it_was(name, tmp_path):
    array = np.asarray(SHAPES[name])
    save_arrays(tmp_path / "a.npz", {"a": SHAPES[name]})
    with np.load(tmp_path / "a.npz") as found:
        again = found["a"]
    assert (again.shape, again.dtype) == (array.shape, array.dtype)
    assert again.tobytes() == array.tobytes()


@pytest.mark.parametrize("state_dtype", ["float32", "bfloat16", "int8"])
def test_a_training_continues_from_saved_arrays(state_dtype, tmp_path):
    """Parameters with no axes, one and two; the state of each under its number."""

    def made():
        model = nn.Module()
        model.scale, model.bias = nn.Parameter(0.5), nn.Parameter([1.0, 2.0])
        model.weight = nn.Parameter(np.arange(600, dtype=np.float32).reshape(2, 300).T)
        return model, optim.Adam(model.named_parameters(), lr=0.1, state_dtype=state_dtype)

    def step(model, optimizer):
        for param in model.parameters():
            param.grad = np.cos(param.data)
        optimizer.step()

    model, optimizer = made()
    step(model, optimizer)
    saved = optimizer.state_dict()
    arrays = {f"{i} {key}": np.asarray(value) for i, state in saved["state"].items() for key, value in state.items()}
    save_arrays(tmp_path / "model.npz", model.state_dict())
    save_arrays(tmp_path / "state.npz", arrays)
    other, resumed = made()
    with np.load(tmp_path / "model.npz") as found, np.load(tmp_path / "state.npz") as states:
        other.load_state_dict(dict(found))
        for name, value in states.items():
            i, key = name.split()
            saved["state"][int(i)][key] = int(value) if key == "step" else value
    resumed.load_state_dict(saved)
    for _ in range(2):
        step(model, optimizer)
        step(other, resumed)
    for param, again in zip(model.parameters(), other.parameters(), strict=True):
        assert param.data.tobytes() == again.data.tobytes()


def test_arrays_survive_a_file_under_any_name(tmp_path):
    names = ["file", "allow_pickle", "vision.weight", "größe"]
    arrays = {name: np.arange(6.0, dtype=np.float32).reshape(2, 3).T * i for i, name in enumerate(names)}
    for path in (tmp_path / "first.npz", tmp_path / "second.npz"):
        save_arrays(path, arrays)
    with np.load(tmp_path / "first.npz") as again:
        assert again.files == names
        assert all(again[name].dtype == np.float32 and np.array_equal(again[name], arrays[name]) for name in names)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_arrays_that_cannot_be_written_leave_what_was_there(tmp_path):
    save_arrays(tmp_path / "kept.npz", {"a": np.zeros(3)})
    before = (tmp_path / "kept.npz").read_bytes()
    with pytest.raises(ValueError):
        save_arrays(tmp_path / "kept.npz", {"a": np.zeros(3), "b": np.array([{}], object)})
    assert (tmp_path / "kept.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npz"]


@pytest.mark.parametrize("name", ["taken", "absent/file"])
def test_a_file_that_cannot_be_written_leaves_nothing_behind(name, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_bytes(tmp_path / name, lambda file: file.write(b"content"))
    assert os.listdir(tmp_path) == ["taken"]


def test_two_containers_that_write_one_file_at_once(tmp_path, monkeypatch):
    """In each of them the process has number 1. The other one finishes between our writing and our renaming."""
    replace, both = os.replace, []

    def late(old, new):
        if not both:
            both.append(new)
            write_bytes(new, lambda file: file.write(b"theirs"))
            assert os.listdir(tmp_path) != ["file"], "ours is still there"
        replace(old, new)

    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(os, "replace", late)
    write_bytes(tmp_path / "file", lambda file: file.write(b"ours"))
    assert (tmp_path / "file").read_bytes() == b"ours" and os.listdir(tmp_path) == ["file"]
