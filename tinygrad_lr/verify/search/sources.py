"""Where a class or a function is defined, also where its module was loaded from a file and sys.modules has it not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any


def source_of(target: Any) -> tuple[str, int] | None:
    """The file and the line of a class or a function; None where there is none.

    Example:
        >>> source_of(Path)[0].endswith(".py"), source_of(len)
        (True, None)
    """
    try:
        found = inspect.unwrap(target)
        file = inspect.getsourcefile(found)
        return None if file is None else (file, inspect.getsourcelines(found)[1] or 1)
    except Exception:  # an object of C, one that answers anything, or a class whose module is not known
        return _by_its_methods(target)


def _by_its_methods(target: Any) -> tuple[str, int] | None:
    codes = [code for each in _members(target) if (code := getattr(each, "__code__", None)) is not None]
    files = [code.co_filename for code in codes if Path(code.co_filename).is_file()]
    if not files:
        return None
    lines = Path(files[0]).read_text(encoding="utf-8", errors="replace").splitlines()
    head = re.compile(rf"\s*(class|def)\s+{re.escape(str(getattr(target, '__name__', '')))}\b")
    return files[0], next((number for number, line in enumerate(lines, start=1) if head.match(line)), 1)


def _members(target: Any) -> list[Any]:
    return list(vars(target).values()) if inspect.isclass(target) else [target]
