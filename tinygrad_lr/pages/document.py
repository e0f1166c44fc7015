"""`document`: one HTML file with its code, its style and its data inside. It makes no request, whatever the data say.

A Content-Security-Policy allows the scripts and styles whose hashes it names, and nothing else. The data are JSON in
which no character can end the element around them.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["LANGUAGES", "bundle", "document", "to_json"]

LANGUAGES = {  # and what a page says in them where it cannot run
    "en": "This page draws with JavaScript, which is switched off here.",
    "zh": "本页用 JavaScript 绘图，而这里关闭了它。",
}
BUNDLES = Path(__file__).parent / "bundles"
# What could end a <script>, begin a comment in it, or end a line of JavaScript; and half pairs, which are no UTF-8.
_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_ENDS_ELEMENT = re.compile(r"</(script|style)|<!--", re.IGNORECASE)


def document(
    title: str, bundle_name: str, data: Mapping[str, Any], *, language: str = "en", scripts: Sequence[str] = ()
) -> str:
    """Return the text of an HTML file, to be written in UTF-8.

    Args:
        title: shown by the browser; any text.
        bundle_name: which code and style it has: "report" is bundles/report.js and bundles/report.css.
        data: what the code reads as JSON (`to_json`) from the element with the id "data".
        language: "en" or "zh", in which the page opens.
        scripts: JavaScript that runs before the bundle, in this order.

    Raises:
        ValueError: another language, or a script with `</script` or `<!--` in it, which HTML would read.
        FileNotFoundError: there is no such bundle.

    Example:
        >>> page = document("1 < 2", "report", {"runs": []})
        >>> "<title>1 &lt; 2</title>" in page, "http-equiv=\\"Content-Security-Policy\\"" in page
        (True, True)
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r:.40}")
    codes, style = [*scripts, bundle(f"{bundle_name}.js")], bundle(f"{bundle_name}.css")
    for text in (*codes, style):
        if found := _ENDS_ELEMENT.search(text):
            raise ValueError(f"a script with {found[0]!r} in it would end its element; write it with an escape")
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{language}">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(codes, style)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        f"<title>{html.escape(_utf8(title))}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f"<noscript>{LANGUAGES[language]}</noscript>",
        f'<script type="application/json" id="data">{to_json({"language": language, **data})}</script>',
        *(f"<script>{code}</script>" for code in codes),
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines)


def bundle(name: str) -> str:
    """The text of a file in bundles/.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return (BUNDLES / name).read_text(encoding="utf-8")


def to_json(value: Any) -> str:
    """JSON for a `<script>` element: a number that is not finite becomes null, and what HTML could read is escaped.

    Args:
        value: mappings, sequences, arrays and plain values.

    Raises:
        TypeError: it holds something else.

    Example:
        >>> to_json({"</script>": [1.5, float("nan")]})
        '{"\\\\u003c/script\\\\u003e":[1.5,null]}'
    """
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> Any:
    """The same in lists, dicts and numbers of Python."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _policy(codes: Sequence[str], style: str) -> str:
    """Content-Security-Policy: the hashes of what may run; no request; workers of the page's own code only."""
    hashes = " ".join(map(_hash, codes))
    allowed = {"default-src": "'none'", "script-src": hashes, "style-src": _hash(style), "img-src": "data:"}
    allowed |= {"worker-src": "blob:", "base-uri": "'none'", "form-action": "'none'"}
    return "; ".join(f"{name} {sources}" for name, sources in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def _utf8(text: str) -> str:
    """The text with half pairs, which UTF-8 cannot say, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
