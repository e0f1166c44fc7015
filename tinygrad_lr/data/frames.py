"""`table_of` makes a `Table` of frames, NumPy arrays, lists of dicts and dicts of lists.

Frames of pandas, polars and pyarrow come through Narwhals, which says the same of all of them. Next: tables.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .columns import (
    MISSING,
    Booleans,
    Column,
    Dates,
    Lines,
    Numbers,
    Table,
    TableError,
    Texts,
    column_of_values,
    hours,
    rounded,
)

__all__ = ["columns_of_frame", "table_of"]

EXTRA = "pip install 'tinygrad_lr[tables]'"
ACCEPTED = "a frame of pandas, polars or pyarrow, a NumPy array, a list of dicts, or a dict of lists"


def table_of(data: Any, missing: Collection[str] = MISSING, source: str = "the table") -> Table:
    """The table of an object. A row is called by its number from 0 in messages.

    Raises:
        TypeError: an object of another kind.
        TableError: columns of a kind that cannot be used, or names that are there twice.
        ImportError: Narwhals, which reads frames, is not there.
    """
    if isinstance(data, Table):
        return data
    notes: list[str] = []
    if isinstance(data, Mapping):
        columns = _of_mapping(data, missing, source)
    elif isinstance(data, np.ndarray):
        columns = _of_array(data, missing, source)
    elif isinstance(data, (list, tuple)):
        columns = _of_records(data, missing, source)
    elif _is_frame(data):
        columns = columns_of_frame(data, missing, source, notes)
    elif hasattr(data, "__array__") and not hasattr(data, "to_frame"):
        columns = _of_array(np.asarray(data), missing, source)
    else:
        raise TypeError(_refused(data))
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(f"{source}: columns of different lengths: {', '.join(f'{n} {k}' for n, k in lengths.items())}")
    if not columns or not next(iter(lengths.values())):
        raise TableError(f"{source} has {len(columns)} columns and no rows" if columns else f"{source} has no columns")
    notes += rounded(columns)
    return Table(columns, Lines(0, word="row"), source, missing, "", notes)


def _refused(data: Any) -> str:
    kind = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    if hasattr(data, "collect"):
        return f"a table must be in memory, got {kind}; call .collect() first"
    if hasattr(data, "to_frame"):
        return f"a table has several columns, got {kind}; make a frame of it: .to_frame()"
    if hasattr(data, "toarray"):
        return f"a table is dense, got {kind}; call .toarray() first"
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return f"a table must be {ACCEPTED}, got {kind}; make a list of it first"
    return f"a table must be {ACCEPTED}, got {kind}"


def _names(names: Sequence[Any], source: str) -> list[str]:
    """Column names as texts. Numbers become texts, as in a file."""
    found = []
    for place, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, (str, int, np.integer)):
            raise TableError(
                f"{source}: the name of column {place} is {name!r:.60}, a {type(name).__name__}; rename it to a text"
            )
        found.append(str(name).strip())
        if not found[-1]:
            raise TableError(f"{source}: column {place} has no name; rename it")
    for place, text in enumerate(found):
        if found.index(text) != place:
            raise TableError(f"{source}: columns {found.index(text)} and {place} are both named {text!r}; rename one")
    return found


def _of_mapping(data: Mapping[Any, Any], missing: Collection[str], source: str) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name, key in zip(_names(list(data), source), data, strict=True):
        cells = data[key]
        if isinstance(cells, Column):
            columns[name] = cells
            continue
        if not isinstance(cells, np.ndarray) and hasattr(cells, "__array__") and hasattr(cells, "to_list"):
            cells = cells.to_list()  # a series
        elif hasattr(cells, "to_pylist"):
            cells = cells.to_pylist()
        if isinstance(cells, (str, bytes)) or not isinstance(cells, (Sequence, np.ndarray)):
            raise TableError(
                f"{source}: column {name!r} must be a list of its cells, got {type(cells).__name__}; a table of one "
                "row has lists of one cell"
            )
        if isinstance(cells, np.ndarray):
            if cells.ndim != 1:
                raise TableError(f"{source}: column {name!r} must have one axis, got shape {cells.shape}")
            columns[name] = _of_vector(cells, name, missing, source)
        else:
            columns[name] = column_of_values(cells, missing, _at(source, name))
    return columns


def _of_records(data: Sequence[Any], missing: Collection[str], source: str) -> dict[str, Column]:
    keys: dict[Any, None] = {}
    for row, record in enumerate(data):
        if not isinstance(record, Mapping):
            what = "an array with np.asarray, or dicts with the names of the columns"
            raise TypeError(
                f"a list must hold dicts, one for each row; row {row} is {type(record).__name__}. Make {what}"
            )
        keys.update(dict.fromkeys(record))
    names = _names(list(keys), source)
    return {
        name: column_of_values([record.get(key) for record in data], missing, _at(source, name))
        for name, key in zip(names, keys, strict=True)
    }


def _of_array(data: np.ndarray, missing: Collection[str], source: str) -> dict[str, Column]:
    if data.dtype.names is not None:
        if data.ndim != 1:
            raise TableError(f"{source}: an array of records must have one axis, got shape {data.shape}")
        return _of_mapping({name: data[name] for name in data.dtype.names}, missing, source)
    if data.ndim != 2:
        hint = "; reshape(-1, 1) makes it one column" if data.ndim == 1 else ""
        raise TableError(f"{source}: an array must have two axes, rows and columns, got shape {data.shape}{hint}")
    return {
        f"column_{place + 1}": _of_vector(data[:, place], f"column_{place + 1}", missing, source)
        for place in range(data.shape[1])
    }


def _of_vector(values: np.ndarray, name: str, missing: Collection[str], source: str) -> Column:
    kind = values.dtype.kind
    absent = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.asarray(values)
    if kind in "iuf":
        numbers = plain.astype(np.float64)
        return Numbers(numbers if absent is None else np.where(absent, np.nan, numbers))
    if kind == "b":
        return Booleans(plain, absent)
    if kind == "M":
        return Dates(plain if absent is None else np.where(absent, np.datetime64("NaT"), plain))
    if kind == "m":
        return Numbers(hours(plain if absent is None else np.where(absent, np.timedelta64("NaT"), plain)))
    if kind in "UO":
        cells = plain.tolist()
        if absent is not None:
            cells = [None if gone else cell for cell, gone in zip(cells, absent.tolist(), strict=True)]
        return column_of_values(cells, missing, _at(source, name))
    raise TableError(f"{source}: column {name!r} has the dtype {values.dtype}; {_instead(str(values.dtype))}")


def _instead(kind: str) -> str:
    kind = kind.lower()
    if "complex" in kind:
        return "a complex number is two columns, its real and its imaginary part"
    if kind[:1] == "s" and kind[1:].isdigit() or "|s" in kind or "binary" in kind or "bytes" in kind:
        return "decode bytes to texts"
    if "list" in kind or "array" in kind or "struct" in kind:
        return "a cell holds one value; make columns of its parts, or leave it out"
    return "only numbers, texts, True and False, dates and times can be used; leave it out"


def _at(source: str, name: str) -> Any:
    return lambda row, what: TableError(f"{source}, row {row} (counted from 0), column {name!r}: {what}")


# --- frames -------------------------------------------------------------------------------------------------------


def _is_frame(data: Any) -> bool:
    module = type(data).__module__.partition(".")[0]
    if type(data).__name__ == "LazyFrame" or not (hasattr(data, "columns") or hasattr(data, "column_names")):
        return False
    return module in ("pandas", "polars", "pyarrow", "modin", "cudf", "narwhals") or hasattr(
        data, "__narwhals_dataframe__"
    )


def columns_of_frame(data: Any, missing: Collection[str], source: str, notes: list[str]) -> dict[str, Column]:
    """The columns of a frame of pandas, polars or pyarrow. What is to be said of them is added to the notes.

    Raises:
        TableError: a column whose kind cannot be used, or names that are there twice.
        ImportError: Narwhals is not there.
    """
    try:
        import narwhals.stable.v2 as narwhals
    except ImportError as error:
        raise ImportError(f"frames are read through Narwhals, which is not installed: {EXTRA}") from error

    data = narwhals.to_native(data, pass_through=True)
    names = _names(list(getattr(data, "column_names", None) or data.columns), source)
    if hasattr(data, "set_axis"):  # pandas
        index = [name for name in data.index.names if name is not None]
        if index:
            notes.append(f"the index {', '.join(map(repr, index))} is left out; reset_index() makes it a column")
        data = data.set_axis(names, axis=1)
    frame = narwhals.from_native(data, eager_only=True)
    columns: dict[str, Column] = {}
    for name, series in zip(names, frame.iter_columns(), strict=True):
        try:
            own = _of_pandas(series.to_native(), missing, _at(source, name))
            columns[name] = own or _of_series(narwhals, series, name, missing, source, notes)
        except (OverflowError, MemoryError, TableError):
            raise
        except Exception as error:  # of the frame's own library
            raise TableError(f"{source}: column {name!r} of type {series.dtype} cannot be used: {error}") from error
    return columns


def _of_pandas(native: Any, missing: Collection[str], at: Any) -> Column | None:
    """The column of a series whose kind only pandas has, as a CSV file of it is read; None of all others."""
    dtype = getattr(native, "dtype", None)
    kinds = [type(each).__name__ for each in (dtype, getattr(getattr(dtype, "categories", None), "dtype", None))]
    if kinds[0] == "PeriodDtype":
        return Dates(native.dt.to_timestamp().to_numpy().astype("datetime64[us]"))
    if kinds[0] == "SparseDtype":
        return column_of_values(native.sparse.to_dense().tolist(), missing, at)
    if "IntervalDtype" in kinds:
        gone = native.isna().tolist()
        texts = column_of_values(
            [None if no else str(each) for each, no in zip(native.tolist(), gone, strict=True)],
            missing,
            at,
            numbers_are_texts=True,
        )
        assert isinstance(texts, Texts)
        return Texts(texts.codes, texts.distinct, categorical=True)
    return None


def _of_series(nw: Any, series: Any, name: str, missing: Collection[str], source: str, notes: list[str]) -> Column:
    dtype = series.dtype
    if dtype.is_numeric():
        return Numbers(series.cast(nw.Float64).to_numpy())
    if dtype == nw.Boolean:
        absent = series.is_null().to_numpy()
        return Booleans([value is True for value in series.to_list()], absent)
    if dtype in (nw.Categorical, nw.Enum):
        texts = column_of_values(series.to_list(), missing, _at(source, name), numbers_are_texts=True)
        assert isinstance(texts, Texts)
        return Texts(texts.codes, texts.distinct, categorical=True)
    if dtype == nw.Date:
        return Dates(np.array(series.to_list(), "datetime64[D]").astype("datetime64[us]"))
    if dtype == nw.Datetime:
        zone = dtype.time_zone
        if zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Dates(series.to_numpy().astype("datetime64[us]"), None if zone is None else str(zone))
    native = series.to_native()
    zone = getattr(getattr(native, "dtype", None), "tz", None)
    if dtype == nw.Unknown and zone is not None:  # of pandas, with a name that Narwhals cannot read
        return Dates(native.dt.tz_convert(None).to_numpy().astype("datetime64[us]"), str(zone))
    if dtype == nw.Duration:
        notes.append(f"column {name!r} holds durations: taken in hours")
        return Numbers(hours(series.to_numpy()))
    if dtype == nw.Time:
        notes.append(f"column {name!r} holds times of day: taken in hours")
    if dtype in (nw.String, nw.Object, nw.Time, nw.Unknown):
        if dtype == nw.Unknown and not series.is_null().all():
            raise TableError(f"{source}: column {name!r} has the type {_native(series)}; {_instead(_native(series))}")
        return column_of_values(series.to_list(), missing, _at(source, name))
    raise TableError(f"{source}: column {name!r} has the type {dtype}; {_instead(str(dtype))}")


def _native(series: Any) -> str:
    native = series.to_native()
    return str(getattr(native, "dtype", None) or getattr(native, "type", ""))
