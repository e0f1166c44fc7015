"""`Source` has the bytes of a table: of a file, a pipe or standard input, decompressed within bounds.

What kind of file it is, its first bytes say, not its name. `decoded` makes a text of them. Next: csv_files.py.
"""

from __future__ import annotations

import codecs
import hashlib
import importlib
import io
import os
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from tinygrad_lr.reading import MiB

from .columns import TableError

__all__ = ["STREAMED_FROM", "Source", "checked_encoding", "decoded", "encoding_of", "is_utf_8_too", "undecodable"]

STREAMED_FROM = 16 * MiB  # files of this size on are read piece by piece, and not kept in memory
# A compressed file may become this many times its size, and always this many bytes. Tables become 3 to 30 times as
# long; what becomes more was most likely made to fill the memory.
MOST_TIMES, ALWAYS = 200, 64 * MiB

COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
MODULES = {"gzip": "gzip", "bzip2": "bz2", "xz": "lzma"}  # imported where they are needed: a Python may lack them

IN_PYTHON = "read it in Python and give the frame to training.train_table, or save it as CSV"
# First bytes of files that hold no table that can be read here: what it is, and what to do.
OTHERS = {
    b"\xd0\xcf\x11\xe0": "an Excel file of before 2007 (.xls); save it as .xlsx or as CSV",
    b"%PDF": "a PDF; copy its table into a spreadsheet, and save that as CSV",
    b"SQLite format 3": "a SQLite database; write the table to CSV: sqlite3 -header -csv FILE 'select * from TABLE'",
    b"\x89HDF": f"an HDF5 file; {IN_PYTHON}",
    b"\x93NUMPY": "a NumPy array; load it with numpy.load and give it to data.as_table, or save it with numpy.savetxt",
    b"\x80\x04\x95": f"a Python pickle, which is not opened since it could run any code; {IN_PYTHON}",
    b"\x80\x05\x95": f"a Python pickle, which is not opened since it could run any code; {IN_PYTHON}",
    b"RDX": "R's save(); write the table with write.csv(TABLE, 'table.csv', row.names = FALSE)",
    b"X\n\x00\x00\x00": "R's saveRDS(); write the table with write.csv(TABLE, 'table.csv', row.names = FALSE)",
    b"<stata_dta>": f"a Stata file; {IN_PYTHON} (pandas.read_stata)",
    b"$FL2": f"an SPSS file; {IN_PYTHON} (pandas.read_spss)",
    b"$FL3": f"an SPSS file; {IN_PYTHON} (pandas.read_spss)",
    b"FEA1": "a Feather file of version 1; write it again with pyarrow.feather.write_feather, which writes version 2",
    b"Obj\x01": f"an Avro file; {IN_PYTHON}",
    b"ORC": f"an ORC file; {IN_PYTHON} (pyarrow.orc.read_table)",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard, which is not read; decompress it first: zstd -d FILE",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
}
BOMS = {  # the longer first: UTF-16's is the beginning of UTF-32's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Source:
    """The bytes of a table, which can be read again and again.

    Args:
        path: a file, a pipe, or "-" for standard input. A pipe and a small file are read at once, and once.

    Attributes:
        name: what messages call it.
        kind: "text", "parquet", "arrow" or "excel".
        size: of the file in bytes, compressed as it is.
        piped: the bytes, where they came from a pipe or standard input, and cannot be had again; else None.

    Raises:
        TableError: a device, or bytes of a kind that is not read.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = str(path)
        self.sha256 = ""
        self._content: bytes | None = None
        self.piped: bytes | None = None
        if self.name == "-":
            self.name = "standard input"
            if sys.stdin is None or sys.stdin.closed:
                raise TableError("standard input is closed; pipe a table into the command, or name a file")
            binary: Any = getattr(sys.stdin, "buffer", sys.stdin)
            self._take(binary)
        else:
            with open(path, "rb") as file:
                self._take(file)
        with self.open(decompressed=False) as file:
            head = file.read(64)
        self.compression = next((name for magic, name in COMPRESSED.items() if head.startswith(magic)), "")
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not self._is_workbook():
            self.compression = "zip"
        if self.compression:
            with self.open() as file:
                head = file.read(64)
            if head.startswith((*COMPRESSED, b"PK\x03\x04")) and self.compression != "zip":
                raise TableError(f"{self.name} is compressed twice; decompress it once")
        self.kind = self._kind(head)

    def _take(self, file: IO[bytes]) -> None:
        try:
            found: os.stat_result | None = os.fstat(file.fileno())
        except (OSError, ValueError, AttributeError):  # what is in the place of standard input has no number
            found = None
        if found is not None:
            mode = found.st_mode
            if stat.S_ISCHR(mode) and not file.isatty() or stat.S_ISBLK(mode):
                raise TableError(f"{self.name} is a device, which may have no end; name a file")
            if stat.S_ISREG(mode) and found.st_size >= STREAMED_FROM and self.path.name != "-":
                self.size = found.st_size
                return
        content = file.read()
        self._content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        self.size = len(self._content)
        if self.path.name == "-" or found is None or not stat.S_ISREG(found.st_mode):
            self.piped = self._content
        self.sha256 = hashlib.sha256(self._content).hexdigest()

    @property
    def is_streamed(self) -> bool:
        """Whether the bytes lie on the disk only."""
        return self._content is None

    @contextmanager
    def open(self, decompressed: bool = True) -> Iterator[IO[bytes]]:
        """The bytes from their beginning. Where they are read to their end, `sha256` is known.

        Raises:
            TableError: compressed bytes that are damaged or too many, or a file that changed since it was read first.
        """
        with _Hashed(self) if self.is_streamed else io.BytesIO(cast(bytes, self._content)) as file:
            if not decompressed or not self.compression:
                yield file
                return
            most = max(MOST_TIMES * self.size, ALWAYS)
            try:
                with self._decompressing(file) as plain, io.BufferedReader(_Bounded(plain, most, self.name)) as bounded:
                    yield bounded
            except TableError:
                raise
            except _damage() as error:
                what = f"the {self.compression} file is damaged or cut off ({str(error) or type(error).__name__})"
                raise TableError(f"{self.name}: {what}; get it again") from error

    @contextmanager
    def _decompressing(self, file: IO[bytes]) -> Iterator[IO[bytes]]:
        if self.compression != "zip":
            try:
                module: Any = importlib.import_module(MODULES[self.compression])
            except ImportError as error:
                what = f"this Python cannot decompress {self.compression} ({error}); decompress the file first"
                raise TableError(f"{self.name}: {what}") from error
            with module.open(file) as plain:
                yield plain
            return
        with zipfile.ZipFile(file) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and "__MACOSX" not in each.filename]
            if len(members) != 1:
                names = ", ".join(each.filename for each in members[:5]) or "nothing"
                raise TableError(
                    f"{self.name}: an archive with one table is read, and this one holds {names}; unpack it"
                )
            if members[0].flag_bits & 1:
                raise TableError(f"{self.name}: the archive is encrypted; unpack it first")
            with archive.open(members[0]) as plain:
                yield plain

    def _is_workbook(self) -> bool:
        """Whether a zip archive is an Excel file."""
        with self.open(decompressed=False) as file:
            try:
                with zipfile.ZipFile(file) as archive:
                    names = archive.namelist()
            except _damage() as error:
                raise TableError(f"{self.name}: the archive is damaged or cut off ({error}); get it again") from error
        if "mimetype" in names and "content.xml" in names:
            raise TableError(f"{self.name} is an OpenDocument file, which is not read; save it as .xlsx or as CSV")
        if any(name.endswith((".npy",)) for name in names):
            raise TableError(f"{self.name} holds NumPy arrays; load it with numpy.load, and give one to data.as_table")
        return "[Content_Types].xml" in names or self.path.suffix.lower() in (".xlsx", ".xlsm")

    def _kind(self, head: bytes) -> str:
        for magic, what in OTHERS.items():
            if head.startswith(magic):
                raise TableError(f"{self.name} is {what}")
        start = head.lstrip().lower()
        if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
            raise TableError(
                f"{self.name} is a web page or XML, no table; was the link of a page saved in place of its data?"
            )
        if re.match(rb'(\[\s*)?\{\s*("|\})|\[\s*[\[\]"0-9-]', head.lstrip()):
            raise TableError(f"{self.name} is JSON; in Python, give json.load's list of dicts to data.as_table")
        if head.startswith(b"PK\x03\x04"):
            return "excel"
        return "parquet" if head.startswith(b"PAR1") else "arrow" if head.startswith(b"ARROW1") else "text"

    def content(self) -> bytes:
        """All bytes, decompressed."""
        if self._content is not None and not self.compression:
            return self._content
        with self.open() as file:
            return file.read()

    def finish(self) -> None:
        """Read what was not asked for, so that `sha256` is known."""
        if not self.sha256:
            with self.open(decompressed=False) as file:
                while file.read(MiB):
                    pass


def _damage() -> tuple[type[BaseException], ...]:
    """What is raised where compressed bytes are damaged."""
    found = [OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError]
    lzma = sys.modules.get("lzma")
    return (*found, *([] if lzma is None else [lzma.LZMAError]))


class _Hashed(io.BufferedReader):
    """A file whose SHA-256 is taken as it is read."""

    def __init__(self, source: Source) -> None:
        super().__init__(io.FileIO(source.path))
        self._source, self._digest, self._hashed = source, hashlib.sha256(), 0

    def read(self, size: int | None = -1, /) -> bytes:
        place = self.tell()
        found = super().read(size)
        self._take(found, place, is_end=not found or size is None or size < 0)
        return found

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size if size > 0 else io.DEFAULT_BUFFER_SIZE)

    def readinto(self, buffer: Any, /) -> int:
        place = self.tell()
        count = super().readinto(buffer)
        self._take(memoryview(buffer)[:count], place, is_end=not count)
        return count

    def _take(self, found: bytes | memoryview, place: int, is_end: bool) -> None:
        if place == self._hashed:
            self._digest.update(found)
            self._hashed += len(found)
            if is_end:
                self._known()

    def _known(self) -> None:
        digest = self._digest.hexdigest()
        if self._source.sha256 not in ("", digest):
            raise TableError(f"{self._source.name} changed while it was read; wait until it is written")
        self._source.sha256 = digest


class _Bounded(io.RawIOBase):
    """Decompressed bytes, which end with an error where there are too many."""

    def __init__(self, plain: IO[bytes], most: int, name: str) -> None:
        self._plain, self._left, self._most, self._name = plain, most, most, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        found = self._plain.read(len(buffer))
        self._left -= len(found)
        if self._left < 0:
            raise TableError(
                f"{self._name}: decompressed, it has more than {self._most:,} bytes, {MOST_TIMES} times its size, as a "
                "file that is made to fill the memory; decompress it yourself where you trust it"
            )
        buffer[: len(found)] = found
        return len(found)


# --- the text of the bytes ----------------------------------------------------------------------------------------


def checked_encoding(encoding: str | None) -> str | None:
    """The name of an encoding as Python knows it.

    Raises:
        TypeError: no text. ValueError: an unknown encoding.

    Example:
        >>> checked_encoding("Latin-1"), checked_encoding(None)
        ('iso8859-1', None)
    """
    if encoding is None:
        return None
    if not isinstance(encoding, str):
        raise TypeError(f"encoding must be a text such as 'cp1252', got {type(encoding).__name__}")
    try:
        b"text".decode(encoding, "replace")
        return codecs.lookup(encoding).name
    except (LookupError, ValueError, UnicodeError):
        usual = "utf-8, utf-16, cp1252, latin-1, cp1250, cp1251, shift_jis, gb18030"
        raise ValueError(f"encoding: no encoding of texts is called {encoding!r:.60}; usual ones: {usual}") from None


def encoding_of(head: bytes, encoding: str | None) -> str:
    """How bytes that begin so are decoded: as their byte-order mark says, or as told; else as UTF-8."""
    mark = next((name for bom, name in BOMS.items() if head.startswith(bom)), None)
    if mark is not None and (encoding is None or encoding in ("utf-8", "utf-8-sig") or mark.startswith(encoding[:6])):
        return mark
    return encoding or "utf-8"


def decoded(content: bytes, encoding: str | None, name: str) -> IO[str]:
    """A file of the text of these bytes, line ends as they are. Reading it may raise UnicodeError: see `undecodable`.

    Raises:
        TableError: NUL bytes, which no text has.
    """
    found = encoding_of(content[:4], encoding)
    if not found.startswith(("utf-16", "utf-32")) and (place := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, place) + 1
        if content[:200].count(b"\0") > len(content[:200]) // 4:
            likely = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
            raise TableError(f"{name}: not UTF-8, most likely {likely}; say so with encoding={likely!r} (--encoding)")
        raise TableError(
            f"{name}, line {line}: a NUL byte; the file is damaged or no text. Save the table as CSV again"
        )
    file = io.BytesIO(content)
    if content.startswith(codecs.BOM_UTF8) and not found.startswith("utf-8"):
        file.seek(len(codecs.BOM_UTF8))  # of a program that puts it before any encoding
    return io.TextIOWrapper(file, found, newline="")


def is_utf_8_too(content: bytes, encoding: str | None) -> bool:
    """Whether bytes that are read in another encoding are UTF-8 with letters beyond ASCII; hardly any other text is."""
    if encoding is None or encoding.startswith("utf") or content.isascii():
        return False
    return _decodes(content, "utf-8")


def undecodable(content: bytes, encoding: str | None, name: str) -> TableError:
    """The error to raise for bytes in another encoding; the likely one is named, with the line as it then reads."""
    tried = encoding_of(content[:4], encoding)
    if not tried.startswith("utf-8"):
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        content.decode(tried)
    except UnicodeDecodeError as error:
        return TableError(f"{name}, {_undecodable(content, tried, error)}")
    except UnicodeError as error:  # UTF-16 without its mark
        return TableError(f"{name}: not {tried} ({error}); name another encoding (--encoding)")
    raise AssertionError(f"{name} was refused without a reason")


def _undecodable(content: bytes, tried: str, error: UnicodeDecodeError) -> str:
    line = content.count(b"\n", 0, error.start) + 1
    begin = content.rfind(b"\n", 0, error.start) + 1
    end = content.find(b"\n", error.start)
    shown = content[max(begin, error.start - 20) : min(end if end >= 0 else len(content), error.start + 20)]
    what = f"line {line}: not {'UTF-8' if tried.startswith('utf-8') else tried} (byte {content[error.start]:#04x})"
    for likely in _likely(content):
        if likely != tried:
            try:
                text = shown.removeprefix(codecs.BOM_UTF8).decode(likely).strip()
            except UnicodeDecodeError:
                continue
            others = "" if likely != "cp1252" else "; others are latin-1, cp1250, cp1251, shift_jis"
            say = f"say so with encoding={likely!r} (--encoding)"
            return f"{what}, most likely {likely}, in which it reads {text!r}; {say}{others}"
    return f"{what}; name its encoding with encoding= (--encoding), or save the table as UTF-8"


def _likely(content: bytes) -> list[str]:
    """Encodings in the order of likelihood, from how letters beyond ASCII stand in the first of them."""
    start = content[: 4 * MiB].removeprefix(codecs.BOM_UTF8)
    if _decodes(start, "utf-8"):
        return ["utf-8"]
    runs = re.findall(rb"[\x80-\xff]+", start)[:2000]
    pairs = [name for name in ("shift_jis", "gb18030") if _decodes(start, name)]
    if len(b"".join(runs)) > 2.5 * len(runs):  # words of such letters alone: an alphabet that is not Latin
        letters = b"".join(runs)
        cyrillic = sum(byte >= 0xC0 for byte in letters) > 0.9 * len(letters)
        return ["cp1251", *pairs] if cyrillic or not pairs else [*pairs, "cp1251"]
    return ["cp1252", "latin-1"] if _decodes(start, "cp1252") else [*pairs, "latin-1"]


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        return False
    return True
