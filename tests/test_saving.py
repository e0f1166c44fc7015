"""`save` and `load`: everything comes back exactly, nothing else can be saved, and no other file is read."""

import io
import json
import math
import os
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinygrad_lr import Tensor, load, manual_seed, nn, optim, randn, save, saving, tensor
from tinygrad_lr.files import save_arrays
from tinygrad_lr.training import snapshot


def again(value, tmp_path):
    save(value, tmp_path / "saved.npz")
    return load(tmp_path / "saved.npz")


def same(found, given):
    """Equal in type, dtype, shape and bits."""
    if isinstance(given, Tensor):
        assert type(found) is type(given) and found.requires_grad == given.requires_grad and found.is_leaf
        assert found.grad is None and found.device == "cpu"
        same(found.numpy(), given.detach().numpy())
    elif isinstance(given, (np.ndarray, np.generic)):
        assert type(found) is type(given) and found.dtype == given.dtype and found.shape == given.shape
        assert found.tobytes() == given.tobytes()
    elif isinstance(given, (list, tuple)):
        assert type(found) is type(given) and len(found) == len(given)
        for pair in zip(found, given, strict=True):
            same(*pair)
    elif isinstance(given, dict):
        assert type(found) is dict and list(found) == list(given)
        for key in given:
            same(found[key], given[key])
    else:
        assert type(found) is type(given) and (found == given or found != found)
        assert not isinstance(given, float) or math.copysign(1, found) == math.copysign(1, given)


PARAMETER = nn.Parameter([1.0, -0.0])
VALUES = {
    "a Tensor": tensor([[1.5, math.nan, -math.inf]]),
    "a Tensor that requires gradients": tensor([1.0], requires_grad=True),
    "a Tensor without axes": tensor(3),
    "an empty Tensor": Tensor(np.zeros((0, 3))),
    "float64": Tensor(np.array([0.1, 1e-320])),
    "int64": Tensor([2**63 - 1, -(2**63)]),
    "bool": Tensor([True, False]),
    "a computed Tensor": tensor([1.0], requires_grad=True) * 2,
    "a transposed Tensor": Tensor(np.arange(6.0).reshape(2, 3)).T,
    "a Parameter": PARAMETER,
    "a fixed Parameter": nn.Parameter([1.0], requires_grad=False),
    "arrays": [
        np.float32([1.0]),
        np.arange(3, dtype=np.uint8),
        np.zeros((2, 0), np.float16),
        np.asfortranarray(np.eye(3)),
    ],
    "numbers of NumPy": (np.float32(0.1), np.int8(-3), np.bool_(True)),
    "numbers": [1, -1.5, True, None, 2**70, -(2**5000), math.nan, math.inf, -0.0, 1e-320],
    "texts": {"": "", "ä\n\0€": "日本", "document": 1, "sha256": 2, "a/b": np.ones(1), "a.b": np.zeros(1)},
    "keys": {1: "one", (2, "x"): [], None: {}, False: (), 0.5: ((),)},
    "one array twice": [PARAMETER, {"again": PARAMETER}],
    "equal names": {"a": {"b": np.ones(1)}, "a.b": np.ones(2), "a b": np.ones(3), "a_b": np.ones(4)},
    "an ordered dict": OrderedDict(b=1, a=2),
    "names that files do not like": {
        "../../etc": np.ones(2),
        "x" * 300: np.ones(1),
        "\0": np.ones(3),
        "CON": np.ones(1),
    },
    "an array named as the document": {"document": np.ones(1), "sha256": np.ones(2)},
    "deep": json.loads("[" * 99 + "]" * 99),
    "nothing": None,
}


@pytest.mark.parametrize("name", VALUES)
def test_everything_comes_back_exactly(name, tmp_path):
    value = VALUES[name]
    same(again(value, tmp_path), dict(value) if isinstance(value, OrderedDict) else value)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    arrays.arrays(
        st.sampled_from(["f4", "f8", "i8", "bool", "u2"]), arrays.array_shapes(min_dims=0, max_dims=2, min_side=0)
    ),
    st.builds(tensor, st.lists(st.floats(width=32), max_size=3), requires_grad=st.booleans()),
)
KEYS = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.integers(-3, 3))


@given(
    st.recursive(
        LEAVES, lambda each: st.lists(each, max_size=4) | st.dictionaries(KEYS, each, max_size=4), max_leaves=8
    )
)
def test_any_collection_comes_back(value):
    same(saving.unpacked(saving.packed(value)), value)


def test_a_training_goes_on_with_the_same_bits(tmp_path):
    manual_seed(0)
    x, y = randn(8, 3), randn(8, 1)

    def made():
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        return model, optim.Adam(model.parameters(), lr=0.05, dialect="torch", amsgrad=True)

    def train(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            nn.MSELoss()(model(x), y).backward()
            optimizer.step()

    model, optimizer = made()
    train(model, optimizer, 5)
    save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 5}, tmp_path / "run.npz")
    other, its = made()
    found = load(tmp_path / "run.npz")
    other.load_state_dict(found["model"])
    its.load_state_dict(found["optimizer"])
    for each in ((model, optimizer), (other, its)):
        train(*each, 5)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert one.data.tobytes() == two.data.tobytes()
    same(its.state_dict(), optimizer.state_dict())
    listed = dict(np.load(tmp_path / "run.npz"))
    np.testing.assert_array_equal(listed["model.0.weight"], found["model"]["0.weight"])


def test_saving_reads_no_computed_value_twice_and_leaves_the_object_alone(tmp_path):
    w = tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    save({"w": w, "loss": loss}, tmp_path / "a")
    loss.backward()
    assert w.grad.tolist() == [2.0, 4.0]
    found = load(tmp_path / "a")
    (found["w"] * 3).sum().backward()
    assert found["w"].grad.tolist() == [3.0, 3.0] and w.grad.tolist() == [2.0, 4.0]
    found["w"].data[0] = 7.0
    assert load(str(tmp_path / "a"))["w"].tolist() == [1.0, 2.0]


# --- what cannot be saved ---------------------------------------------------------------------------------------------

ITSELF: list = [1]
ITSELF.append({"x": ITSELF})


class Kind:
    pass


REFUSED = {
    "a module": (nn.Linear(1, 1), TypeError, "of type Linear; .*; save its state_dict"),
    "an optimizer": (
        {"o": optim.SGD([PARAMETER])},
        TypeError,
        r"the object\['o'\] is .* of type SGD; .*; save its state_dict",
    ),
    "masked elements": (np.ma.array([1.0, 2.0], mask=[0, 1]), TypeError, "masked elements, which have no value; fill"),
    "a function": ([1, len], TypeError, r"the object\[1\] is <built-in function len>, of type builtin_function"),
    "an object": ({"a": [Kind()]}, TypeError, r"the object\['a'\]\[0\] is .*Kind object"),
    "a class": (Kind, TypeError, "of type type"),
    "a set": ({1, 2}, TypeError, r"of type set; .*; write list\(\.\.\.\) of it"),
    "bytes": (b"abc", TypeError, "of type bytes"),
    "complex": (1j, TypeError, "of type complex"),
    "an array of objects": (
        np.array([None]),
        TypeError,
        "the object is an array of object; what is kept are arrays of num",
    ),
    "an array of texts": ({"names": np.array(["a"])}, TypeError, r"the object\['names'\] is an array of <U1"),
    "a complex array": (np.ones(1, complex), TypeError, "an array of complex128"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), TypeError, "an array of datetime64"),
    "a key that is a Tensor": ({tensor([1.0]): 1}, TypeError, "has the key .*, of type Tensor; use a text"),
    "a key that is an object": ({Kind(): 1}, TypeError, "of type Kind"),
    "itself": (ITSELF, ValueError, r"the object\[1\]\['x'\] contains itself"),
    "too deep": (json.loads("[" * 101 + "]" * 101), ValueError, "more than 100 collections within one another"),
    "half a letter": ({"a": ["\ud800 1"]}, ValueError, r"\['a'\]\[0\] holds the text .*ud800 1.*half of a character"),
    "a key of half a letter": ({"\ud800": 1}, ValueError, "holds the text .*ud800.*half of a character"),
    "a generator": ((i for i in range(3)), TypeError, "of type generator"),
    "a range": (range(3), TypeError, "of type range"),
}


@pytest.mark.parametrize("path", ["", ".", "..", "/"])
def test_a_folder_is_no_name_of_a_file(path):
    with pytest.raises(ValueError, match="save needs the name of a file, got"):
        save(1, path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_saved_is_named_and_nothing_is_written(name, tmp_path):
    value, kind, message = REFUSED[name]
    path = tmp_path / "kept.npz"
    save({"before": 1}, path)
    with pytest.raises(kind, match=message):
        save(value, path)
    assert load(path) == {"before": 1} and os.listdir(tmp_path) == ["kept.npz"]


def test_a_file_that_cannot_be_written_or_found(tmp_path):
    with pytest.raises(OSError, match="no_folder"):
        save(1, tmp_path / "no_folder" / "a")
    with pytest.raises(OSError, match="absent"):
        load(tmp_path / "absent")
    for call in (lambda: save(1, io.BytesIO()), lambda: load(3), lambda: save("path", {"an": "object"})):
        with pytest.raises(TypeError, match="takes the path of a file, got"):
            call()


# --- damaged and foreign files ----------------------------------------------------------------------------------------


def test_every_damage_is_seen(tmp_path):
    """Every byte changed, and every shorter file: an error, or what was saved."""
    path, value = tmp_path / "a.npz", {"w": tensor([1.0, 2.0], requires_grad=True), "n": [1, "x"]}
    save(value, path)
    whole = path.read_bytes()
    read = 0
    for i in range(0, len(whole), 7):
        for content in (whole[:i], whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :]):
            path.write_bytes(content)
            try:
                found = load(path)
            except saving.Unreadable as error:
                assert str(error).startswith(str(path)) and "expected a file that tinygrad_lr.save wrote" in str(error)
            else:  # bytes that zip archives do not need, such as dates
                same(found, value)
                read += 1
    assert read < len(whole) // 14


FOREIGN = {
    "a text": lambda path: path.write_text("weights"),
    "nothing": lambda path: path.write_bytes(b""),
    "numpy.savez": lambda path: np.savez(path, a=np.ones(2)),
    "numpy.save": lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"),
    "compressed": lambda path: np.savez_compressed(path, document=np.ones(2), sha256=np.ones(2)),
    "objects": lambda path: np.savez(path, document=np.array([None]), sha256=np.ones(1)),
    "another zip": lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "b"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a document of another kind": lambda path: save_arrays(path, saving.packed([1, 2])),
    "another version": lambda path: save_arrays(path, saving.packed({"format": "tinygrad_lr save 9", "object": 1})),
    "an unknown entry": lambda path: write_document(path, '["set", [1, 2]]'),
    "a missing array": lambda path: write_document(path, '["tensor", ["weight", true]]'),
    "no pairs": lambda path: write_document(path, '["dict", [[1]]]'),
    "a gradient of whole numbers": lambda path: write_document(path, '["tensor", ["document", true]]'),
    "a key that is a list": lambda path: write_document(path, '["dict", [[["list", [1]], 2]]]'),
    "no JSON": lambda path: write_document(path, "{"),
}


def write_document(path, text):
    """A file whose digest fits a document that `save` never writes."""
    found = {"document": np.frombuffer(text.encode(), np.uint8)}
    save_arrays(path, {**found, "sha256": np.frombuffer(saving._digest(found), np.uint8)})


@pytest.mark.parametrize("name", FOREIGN)
def test_another_file_is_an_error_that_names_it(name, tmp_path):
    path = tmp_path / "other.npz"
    FOREIGN[name](path)
    with pytest.raises(saving.Unreadable, match="other.npz: .*tinygrad_lr"):
        load(path)


def test_a_checkpoint_is_told_from_a_saved_object(tmp_path):
    save_arrays(tmp_path / "c.npz", saving.packed({"format": snapshot.FORMAT, "step": 1}))
    with pytest.raises(
        saving.Unreadable, match="it is a tinygrad_lr checkpoint 1, .*restore it with training.Checkpoint"
    ):
        load(tmp_path / "c.npz")
