"""Files that others wrote are read within bounds: whatever their bytes are, there is a value or one kind of error."""

import copy
import io
import json
import os
import stat
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.files import save_arrays
from tinygrad_lr.reading import CONTAINERS, Unreadable, parse_json, read_arrays, read_bytes, read_json

ARRAYS = {
    "weight": np.arange(600, dtype=np.float32).reshape(20, 30),
    "long": np.arange(100_000, dtype=np.float64),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "zero axes": np.float64(2.5),
    "empty": np.zeros((0, 3)),
    "text": np.array(["a", "bc"]),
    "a/b.c": np.array([True]),
}


@pytest.mark.parametrize("write", [save_arrays, lambda path, arrays: np.savez(path, **arrays)], ids=["ours", "numpy"])
def test_arrays_are_read_as_they_were_written(tmp_path, write):
    write(tmp_path / "a.npz", ARRAYS)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == np.asarray(array).dtype and found[name].shape == np.shape(array)
        assert np.array_equal(found[name], array)
        found[name][...] = found[name]  # can be written to


def npy(array=None, header=None, version=(1, 0), content=b""):
    """The bytes of a member: of an array, or with a header of one's own."""
    file = io.BytesIO()
    if header is None:
        np.lib.format.write_array(file, array, allow_pickle=True)
    else:
        text = header.encode() + b"\n"
        file.write(b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2 if version == (1, 0) else 4, "little") + text)
        file.write(content)
    return file.getvalue()


def described(descr="<f4", shape="(3,)", more=""):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}{more}}}"


def archive(*members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as whole:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            whole.writestr(name, content)
    return file.getvalue()


THREE = npy(np.zeros(3, np.float32))
BOMB = archive(("w.npy", npy(np.zeros(10**7, np.float32))), compression=zipfile.ZIP_DEFLATED)
EVIL = {
    "no zip": (b"PK\x03\x04", "BadZipFile"),
    "empty": (b"", "BadZipFile"),
    "twice": (archive(("w.npy", THREE), ("w.npy", THREE)), "twice"),
    "no array": (archive(("w.txt", b"text")), "'w.txt' in it is no .npy"),
    "a bomb of 40 MB in 40 kB": (BOMB, "compressed"),
    "a pickle": (archive(("w.npy", npy(np.array([{}], object)))), "object, no numbers"),
    "records": (archive(("w.npy", npy(np.zeros(2, [("a", "f4")])))), "no numbers"),
    "nested records": (archive(("w.npy", npy(header=described("3<f4", "(1,)")))), "no numbers|ValueError"),
    "a shape of 4 TB": (archive(("w.npy", npy(header=described(shape="(1000000, 1000000)")))), "0 are there"),
    "a product beyond int64": (archive(("w.npy", npy(header=described(shape="(2**40, 2**40)")))), "ValueError"),
    "lengths beyond int64": (archive(("w.npy", npy(header=described(shape=f"({2**70}, 0)")))), "Error: "),
    "no bytes, many elements": (archive(("w.npy", npy(header=described("<U0", "(1000000000000,)")))), "Error: "),
    "negative": (archive(("w.npy", npy(header=described(shape="(-3, -1)"), content=bytes(12)))), "shape"),
    "bool as length": (archive(("w.npy", npy(header=described(shape="(True,)"), content=bytes(4)))), "shape|Error"),
    "more bytes than declared": (archive(("w.npy", THREE + b"0000")), "16 are there"),
    "fewer bytes than declared": (archive(("w.npy", THREE[:-4])), "8 are there"),
    "format 3": (archive(("w.npy", npy(header=described(), version=(3, 0)))), "version"),
    "a header that is code": (archive(("w.npy", npy(header="__import__('os').system('touch evil')"))), "ValueError"),
    "a deep header": (archive(("w.npy", npy(header="(" * 9000))), "Error"),
    "a long header": (archive(("w.npy", npy(header=described(more=" " * 60_000)))), "ValueError"),
    "an endless string": (archive(("w.npy", npy(header="'''" + "x" * 50))), "Error"),
}


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_archive_is_one_error(tmp_path, name, monkeypatch):
    content, message = EVIL[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(Unreadable, match=message):
        read_arrays("a.npz")
    assert os.listdir() == ["a.npz"]


def test_members_that_share_bytes_are_refused(tmp_path):
    """A thousand names for one content of a megabyte would become a gigabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        whole.writestr("w.npy", npy(np.zeros(2**18, np.float32)))
        (one,) = whole.filelist
        whole.filelist += [one] * 1000
        for i, each in enumerate(whole.filelist[1:]):
            whole.filelist[i + 1] = other = copy.copy(each)
            other.filename = f"w{i}.npy"
    (tmp_path / "a.npz").write_bytes(file.getvalue())
    with pytest.raises(Unreadable, match="larger than the file"):
        read_arrays(tmp_path / "a.npz")


@given(st.data())
def test_changed_bytes_of_an_archive_are_a_value_or_one_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("changed") / "a.npz"
    whole = bytearray(archive(("w.npy", THREE), ("bias.npy", npy(np.ones((2, 2))))))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            whole[place] = data.draw(st.integers(0, 255))
        else:
            end = min(len(whole), place + data.draw(st.integers(0, 40)))
            whole[place:end] = data.draw(st.binary(max_size=40))
    path.write_bytes(whole)
    try:
        found = read_arrays(path)
    except Unreadable:
        return
    assert sum(array.nbytes for array in found.values()) <= len(whole)


JSON = {
    "not JSON": (b"{", "no JSON"),
    "not UTF-8": (b'"\xff"', "utf-8"),
    "NaN": (b'{"a": NaN}', "NaN is no number"),
    "Infinity": (b"[-Infinity]", "-Infinity is no number"),
    "a float beyond float64": (b"[1e999]", "1e999 is beyond float64"),
    "400 digits": (b"[" + b"9" * 400 + b"]", r"9999\.\.\. \(400 characters\) is beyond float64"),
    "309 digits": (b"9" * 309, "beyond float64"),
    "ten million digits": (b"-" + b"9" * 10**7, "beyond float64"),
    "deep lists": (b"[" * 100_000, "recursion"),
    "deep objects": (b'{"a":' * 100_000, "recursion"),
    "many lists": (b"[" + b"[]," * CONTAINERS + b"[]]", "more than 1,000,000 lists"),
    "a key twice": (b'{"a": {"b": 1, "c": 2, "b": 3}}', "'b' is there twice"),
    "half a letter": (b'{"a": ["\\ud800"]}', r"'\\ud800' is not Unicode"),
    "half a letter as a key": (b'{"\\udfff": 1}', "not Unicode"),
}


@pytest.mark.parametrize("name", JSON)
def test_json_is_read_strictly(name):
    content, message = JSON[name]
    with pytest.raises(Unreadable, match=message):
        parse_json(content)


def test_a_number_that_fits_is_read_exactly_and_a_long_text_of_digits_is_a_text():
    value = {"whole": 10**300, "float": 1.7976931348623157e308, "digits": "9" * 500, "letter": "\U0001f600"}
    assert parse_json(json.dumps(value).encode()) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_what_json_can_say_is_read_back(value):
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("read", [read_bytes, read_json, read_arrays])
def test_only_a_regular_file_of_a_size_is_read(tmp_path, read):
    (tmp_path / "large").write_bytes(bytes(101))
    with pytest.raises(Unreadable, match="has 101 bytes, and at most 100 are read"):
        read(tmp_path / "large", 100)
    with pytest.raises(Unreadable, match="a folder is in its place"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(Unreadable, match="a named pipe is in its place"):
            read(tmp_path / "pipe")
        with pytest.raises(Unreadable, match="a device is in its place"):
            read("/dev/zero")
    os.truncate(tmp_path / "large", 2**40)  # takes no place on a disk
    with pytest.raises(Unreadable, match="has 1,099,511,627,776 bytes"):
        read(tmp_path / "large", 10**6)
    (tmp_path / "link").symlink_to("large")
    assert stat.S_ISLNK(os.lstat(tmp_path / "link").st_mode)
    with pytest.raises(Unreadable, match="bytes, and at most"):
        read(tmp_path / "link", 10)
