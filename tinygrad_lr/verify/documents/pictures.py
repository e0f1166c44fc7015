"""Pictures of the documents: PNG files that say which command drew them, and of what. Next: shapes.py.

    python -m tinygrad_lr.verify.documents.shapes docs/schedules.png
    python -m tinygrad_lr.race.paths docs/optimizers.png

A test reads what a picture says and compares it with the tables, so that one that is out of date is found without
drawing it again: other versions of matplotlib draw other pixels.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.files import write_bytes

__all__ = ["BLUE", "GREY", "said_by", "write"]

BLUE, GREY = "#1f5fa8", "#555555"
COLOURS = 255  # of the palette of a file
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write(figure: Any, path: str | os.PathLike[str], command: str, drawn: Mapping[str, Any]) -> None:
    """Write a figure of matplotlib as a small PNG file.

    Args:
        figure: it must have a canvas of Agg.
        path: of the file.
        command: what draws it.
        drawn: what it shows, as values that JSON has.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image, PngImagePlugin  # matplotlib needs it

    figure.canvas.draw()
    image = (
        Image.fromarray(np.asarray(figure.canvas.buffer_rgba()))
        .convert("RGB")
        .quantize(COLOURS, dither=Image.Dither.NONE)
    )
    about = PngImagePlugin.PngInfo()
    about.add_text("Source", command)
    about.add_text("Comment", json.dumps(drawn))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, pnginfo=about)
    write_bytes(path, lambda file: file.write(buffer.getvalue()))


def said_by(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """The command that drew a picture, and what the picture shows; neither matplotlib nor PIL is needed.

    Raises:
        ValueError: no PNG file, or one that `write` did not write.
    """
    with open(path, "rb") as file:
        content = file.read()
    found, place = {}, len(SIGNATURE)
    if not content.startswith(SIGNATURE):
        raise ValueError(f"{os.fspath(path)} is no PNG file")
    while place < len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        if kind == b"tEXt":
            name, _, text = content[place + 8 : place + 8 + size].partition(b"\0")
            found[name.decode("latin-1")] = text.decode("latin-1")
        place += 12 + size  # its length, kind and check sum are 12 bytes
    if not {"Source", "Comment"} <= set(found):
        raise ValueError(f"{os.fspath(path)} does not say what drew it; draw it again by its command")
    return found["Source"], json.loads(found["Comment"])
