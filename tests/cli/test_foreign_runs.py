"""`predict` on a folder from elsewhere: whatever is in it is data, and there is a prediction or one clear error."""

import copy
import io
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cli_cases import folder_of_its_own, run, train  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.training.tables import models, runs


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """The run.json and the model.npz of a small run."""
    before = os.getcwd()
    folder = tmp_path_factory.mktemp("valid")
    os.chdir(folder)
    try:
        Path("table.csv").write_text("dose,colour,effect\n" + "1,red,2\n2,blue,3\n3,red,5\n4,blue,1\n" * 3)
        train("--hidden=2", "--out=run", "--held-out=0", "--validation=0")
        return json.loads(Path("run/run.json").read_text()), Path("run/model.npz").read_bytes()
    finally:
        os.chdir(before)


def folder_of(description, model):
    """A run's folder with a run.json and a model.npz."""
    os.makedirs("run", exist_ok=True)
    text = description if isinstance(description, bytes) else json.dumps(description).encode()
    Path("run/run.json").write_bytes(text)
    Path("run/model.npz").write_bytes(model)


def refused(capsys, message, code=2):
    assert run("predict", "run", "table.csv") == code
    said = capsys.readouterr()
    assert re.search(message, said.err) and said.err.count("\n") == 1 and not said.out, said.err


def changed(description, path, value):
    """The description with another value at a path such as "model.layers"."""
    found = copy.deepcopy(description)
    *way, last = path.split(".")
    inner = found
    for name in way:
        inner = inner[name]
    inner[last] = value
    return found


HUGE = {
    "layers of 10**9 units": ([3, 10**9, 10**9, 1], "1,000,000,005,000,000,001|need .* bytes; this machine has"),
    "layers beyond int64": ([3, 10**30, 1], "need .* bytes; this machine has"),
    "more units than there are": ([3, 100_000, 1], "the model has 500,001 parameters, and 11 are there"),
    "20,000 layers": ([3, *[1] * 20_000, 1], "a model has 1 to 1000 layers, got 20001"),
    "no units": ([3, 0, 1], "whole numbers of at least 1"),
    "negative": ([3, -2, 1], "whole numbers of at least 1"),
    "true": ([3, True, 1], "whole numbers of at least 1"),
    "a float": ([3.0, 2.0, 1.0], "whole numbers of at least 1"),
    "texts": (["3", "2", "1"], "whole numbers of at least 1"),
    "nested": ([[3], [2], [1]], "whole numbers of at least 1"),
    "a text": ("321", "'layers' of run.json is '321'"),
    "one": ([3], "a model has 1 to 1000 layers, got 0"),
    "none": ([], "1 to 1000 layers"),
    "two outputs": ([3, 1, 3], "the encoder has 3 inputs and one target, the model 3 inputs and 3 outputs|parameters"),
    "other inputs": ([5, 1, 1], "do not fit together"),
}


@pytest.mark.parametrize("name", HUGE)
def test_layers_that_cannot_be_are_refused_before_memory_is_taken(valid, capsys, name):
    layers, message = HUGE[name]
    folder_of(changed(valid[0], "model.layers", layers), valid[1])
    refused(capsys, message)


TEXTS = {
    "400 digits": (b'"seed": 0', b'"seed": ' + b"9" * 400, "beyond float64"),
    "a million digits": (b'"seed": 0', b'"seed": ' + b"9" * 10**6, "beyond float64"),
    "NaN": (b'"seed": 0', b'"seed": NaN', "NaN is no number of JSON"),
    "a key twice": (b'"seed": 0', b'"seed": 0, "seed": 1', "the key 'seed' is there twice"),
    "deep": (b'"seed": 0', b'"seed": ' + b"[" * 10**5, "recursion|cannot be read"),
    "half a letter": (b'"effect"', b'"\\ud800"', "not Unicode"),
    "a version that is true": (b'"format_version": 2', b'"format_version": true', "format version True"),
    "a long version": (b'"format_version": 2', b'"format_version": "' + b"9" * 10**6 + b'"', "format version '9999"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_run_json_that_is_no_plain_json_is_refused(valid, capsys, name):
    old, new, message = TEXTS[name]
    text = json.dumps(valid[0]).encode()
    assert old in text
    folder_of(text.replace(old, new), valid[1])
    refused(capsys, message)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["run.json", "model.npz"])
@pytest.mark.parametrize("what", ["pipe", "folder", "device", "large"])
def test_only_regular_files_of_a_size_are_read(valid, capsys, name, what):
    folder_of(*valid)
    path = Path("run", name)
    if what == "large":
        os.truncate(path, 2**40)
    else:
        path.unlink()
        {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda path: os.symlink("/dev/zero", path)}[what](path)
    kind = {"pipe": "a named pipe", "folder": "a folder", "device": "a device", "large": "1,099,511,627,776 bytes"}
    refused(capsys, kind[what])


def test_a_small_archive_that_unpacks_to_gigabytes_is_refused(valid, capsys):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as whole, whole.open("weight.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (2**24,)})
        for _ in range(2**6):
            member.write(bytes(2**20))
    assert len(file.getvalue()) < 2**20
    folder_of(valid[0], file.getvalue())
    refused(capsys, "is compressed; write it with numpy.savez")


EVIL_NAMES = [
    "../x",
    "/etc/passwd",
    "__import__('os').system('touch evil')",
    "a/../../b",
    "\x1b[2J",
    "{0.__class__}",
    "%n",
]


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_are_never_paths_or_code(valid, capsys, name):
    """Of parameters, columns, categories and the target."""
    with zipfile.ZipFile("renamed.npz", "w") as whole, zipfile.ZipFile(io.BytesIO(valid[1])) as model:
        for i, each in enumerate(model.infolist()):
            whole.writestr(f"{name}{i}.npy", model.read(each))
    description = copy.deepcopy(valid[0])
    first, second = description["encoder"]["inputs"]
    first["name"], second["name"], second["kinds"] = name, f"{name}2", ["a", name]
    description["encoder"]["target"]["names"] = [f"{name} target"]
    folder_of(description, Path("renamed.npz").read_bytes())
    before = sorted(os.listdir())
    refused(capsys, "do not fit together")
    assert sorted(os.listdir()) == before
    folder_of(description, valid[1])
    assert run("predict", "run", "table.csv") == 2
    said = capsys.readouterr().err
    assert "no column" in said and "\x1b" not in said and sorted(os.listdir()) == before


def test_a_pickle_is_never_loaded(valid, capsys):
    class Evil:
        def __reduce__(self):
            return exec, ("open('evil', 'w').close()",)

    file = io.BytesIO()
    np.savez(file, weight=np.array([Evil()], object))
    folder_of(valid[0], file.getvalue())
    refused(capsys, "object, no numbers")
    assert not os.path.exists("evil")


# --- mutations ------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**300,
        -(10**18),
        1e308,
        "",
        "x",
        "\x1b[2J",
        [],
        {},
        [[]],
        [None],
        {"a": {}},
        ["a"] * 3,
    ]
)


def places(value, way=()):
    """Every place of a JSON value."""
    yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*way, key))


@given(st.data())
def test_a_changed_description_gives_predictions_or_one_error(valid, tmp_path_factory, data):
    description = copy.deepcopy(valid[0])
    for _ in range(data.draw(st.integers(1, 3))):
        relevant = [way for way in places(description) if way and way[0] in ("format", "encoder", "model", "arguments")]
        *way, last = data.draw(st.sampled_from(relevant))
        inner = description
        for key in way:
            inner = inner[key]
        if data.draw(st.booleans()) and isinstance(inner, dict):
            del inner[last]
        else:
            inner[last] = data.draw(ODD)
    folder = tmp_path_factory.mktemp("changed")
    (folder / "run.json").write_text(json.dumps(description))
    (folder / "model.npz").write_bytes(valid[1])
    only_a_run_error(folder)


@given(st.data())
def test_changed_bytes_give_predictions_or_one_error(valid, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("changed")
    contents = {"run.json": json.dumps(valid[0]).encode(), "model.npz": valid[1]}
    name = data.draw(st.sampled_from(list(contents)))
    changed = bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        changed = changed or bytearray(b" ")
    for each, content in {**contents, name: bytes(changed)}.items():
        (folder / each).write_bytes(content)
    only_a_run_error(folder)


def only_a_run_error(folder):
    from tinygrad_lr.training.tables.trained import restored

    try:
        found = restored(folder, runs.read_description(folder))
    except runs.RunError as error:
        assert len(str(error)) < 2000
        return
    outputs = models.apply_network(found.model, np.zeros((2, len(found.encoder.feature_names)), np.float32))
    assert found.encoder.target_in_units(outputs).shape == (2, 1)


@given(
    st.recursive(ODD, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3))
)
def test_any_value_is_no_encoding_or_one_error(value):
    for learnt in (value, {"target": "y", "columns": value}, {"target": value, "columns": {"a": None}}):
        with pytest.raises(ValueError):
            TableEncoder.from_json(learnt)


# --- a diverged run ---------------------------------------------------------------------------------------------------


def test_a_diverged_run_predicts_only_with_force(valid, capsys):
    description = {**valid[0], "status": "diverged"}
    folder_of(description, valid[1])
    refused(capsys, "the training that left run diverged, .*--force", code=1)
    assert run("predict", "run", "table.csv", "--out=out.csv") == 1 and not os.path.exists("out.csv")
    assert run("predict", "run", "table.csv", "--out=out.csv", "--force") == 0
    assert Path("out.csv").read_text().startswith("predicted_effect\n")


def test_a_training_that_diverged_is_said_again_at_predict(capsys):
    assert run("train", "table.csv", "--target=effect", "--optimizer=sgd", "--lr=1e8", "--out=run") == 1
    capsys.readouterr()
    assert run("predict", "run", "table.csv") == 1
    assert "diverged" in capsys.readouterr().err


def test_predictions_that_are_not_finite_are_an_error(valid, capsys):
    large = np.finfo(np.float32).max
    with np.load(io.BytesIO(valid[1])) as arrays:
        parameters = {name: np.full_like(arrays[name], large) for name in arrays.files}
    np.savez("large.npz", **parameters)
    folder_of(valid[0], Path("large.npz").read_bytes())
    refused(capsys, "predictions are not finite", code=1)
    assert run("predict", "run", "table.csv", "--force") == 0
    assert "inf" in capsys.readouterr().out or "nan" in capsys.readouterr().out


# --- what reaches a terminal, and what a spreadsheet may take for a formula -------------------------------------------

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


def test_names_in_messages_lose_their_terminal_escapes(capsys):
    name = f"do{ESCAPE}se"
    rows = "".join(f"{i},{['red', 'b' + ESCAPE][i % 2]},1,{3 * i}\n" for i in range(20))
    table = f"t{ESCAPE.replace('/', '')}.csv"
    Path(table).write_text(f"{name},colour,same{ESCAPE},eff{ESCAPE}ect\n{rows}", encoding="utf-8")
    target = f"eff{ESCAPE}ect"
    assert run("train", table, "--target", target, "--epochs=1", "--out", f"run{ESCAPE}") == 0
    assert run("train", table, "--target", "effect") == 2
    assert run("train", table, "--target", target, f"--ignore=x{ESCAPE}") == 2
    assert run("train", f"absent{ESCAPE}.csv", "--target", target) == 2
    assert run("predict", f"run{ESCAPE}", table, "--out", f"out{ESCAPE}.csv") == 0
    assert run("predict", f"run{ESCAPE}", "table.csv") == 2
    assert run("train", table, f"--lr={ESCAPE}") == 2
    assert run("train", table, f"--no-such={ESCAPE}") == 2
    assert run("explain", f"adam{ESCAPE}") == 2
    said = capsys.readouterr()
    assert "\\x1b" in said.out and "\\x1b" in said.err
    for control in "\x1b\x07\x9b\u202e":
        assert control not in said.out and control not in said.err


def test_warnings_lose_them_too(capsys, recwarn):
    import warnings

    from tinygrad_lr.cli.printing import safe_warnings

    with safe_warnings():
        form = warnings.formatwarning(f"about {ESCAPE}", UserWarning, "file.py", 1, f"line {ESCAPE}")
    assert "\x1b" not in form and "\\x1b" in form and form.count("\n") == 2
    assert "\x1b" in warnings.formatwarning("\x1b", UserWarning, "file.py", 1)


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_that_is_written_begins_as_a_formula(first, capfdbinary):
    """A header begins with "predicted_", and the rest are numbers. Other separators than the comma are quoted."""
    target = f"{first}cmd|' /C calc'!A0;={first}"
    rows = "".join(f"{i},{2 * i}\n" for i in range(10))
    Path("formula.csv").write_text(f'dose,"{target}"\n{rows}', newline="")
    assert run("train", "formula.csv", "--delimiter=,", "--target", target.strip(), "--epochs=1", "--out=run") == 0
    capfdbinary.readouterr()
    assert run("predict", "run", "formula.csv", "--delimiter=,") == 0
    header, *numbers = capfdbinary.readouterr().out.decode().splitlines()
    assert header.startswith('"predicted_') and header.endswith('"')
    assert all(np.isfinite(float(number)) for number in numbers)
    for line in Path("run/history.csv").read_text().splitlines():
        assert all(cell[:1].isalnum() or not cell for cell in line.split(","))
