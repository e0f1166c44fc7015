"""`shortened`: a script without comments, needless blanks and quotes. Names stay: the rules in a page can be read."""

from __future__ import annotations

import re

__all__ = ["shortened"]

# What stands in a script, from left to right. A slash begins a regular expression where no value stands before it.
_PART = re.compile(
    r"""(?P<blank>(?:\s|//[^\n]*|/\*.*?\*/)+)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[\w$]+)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_NAME = re.compile(r"\"[A-Za-z_$][\w$]*\"")
_BEFORE_PATTERN = set("(,=:[!&|?{};>") | {""}


def shortened(script: str) -> str:
    """The same JavaScript without comments, and with blanks only where two parts would run together.

    Keys of objects lose their quotes where they need none, and most blocks their last semicolon.

    Args:
        script: of which line ends matter as they do in JavaScript; they stay.

    Example:
        >>> shortened("const a = 1;  // one\\n  found = a  +  +b / 2\\n  last()")
        'const a=1;found=a+ +b/2\\nlast()'
    """
    found: list[str] = []
    place, last, blank = 0, "", ""
    heads: list[str] = []  # what stands before each parenthesis that is open
    head = ""  # and before the one that was closed last
    while place < len(script):
        part = _PART.match(script, place)
        assert part is not None  # a sign is any character
        text = part[0]
        if part["sign"] == "/" and last[-1:] in _BEFORE_PATTERN and (pattern := _PATTERN.match(script, place)):
            text = pattern[0]
        elif part["sign"] == "`":
            text = script[place : _end_of_template(script, place + 1)]
        place += len(text)
        if part["blank"] is not None:
            blank = "\n" if "\n" in text else " "
            continue
        if blank and _needs(last, blank, text):
            found.append(blank)
        if text == ":" and found[-2:-1] and found[-2] in ("{", ",") and _NAME.fullmatch(found[-1]):
            found[-1] = found[-1][1:-1]  # a key of an object
        if text == "}" and found[-1:] == [";"] and _ends_a_statement(found[-2], head):
            found.pop()
        if text == "(":
            heads.append(last)
        elif text == ")":
            head = heads.pop()
        found.append(text)
        last, blank = text, ""
    return "".join(found)


def _end_of_template(script: str, place: int) -> int:
    """The place behind a template, of which the rest begins at a place. It stays as it is, and what is put into it."""
    while script[place] != "`":
        if script[place] == "\\":
            place += 2
        elif script.startswith("${", place):
            place = _end_of_braces(script, place + 2)
        else:
            place += 1
    return place + 1


def _end_of_braces(script: str, place: int) -> int:
    """The place behind the brace that closes what begins at a place."""
    while script[place] != "}":
        part = _PART.match(script, place)
        assert part is not None
        place = part.end()
        if part[0] == "{":
            place = _end_of_braces(script, place)
        elif part[0] == "`":
            place = _end_of_template(script, place)
    return place + 1


def _needs(last: str, blank: str, text: str) -> bool:
    """Whether a blank between two parts changes what they mean, or ends a statement."""
    if not last:
        return False
    if blank == "\n":
        return last not in ("{", ";", ",", "(", "[") and text not in ("}", ")", "]", ",")
    return _is_word(last[-1]) and _is_word(text[0]) or last[-1] == text[0] and text in ("+", "-", "/")


def _ends_a_statement(last: str, head: str) -> bool:
    """Whether a semicolon after a part ends a statement, and is not itself the body of a loop or of a condition."""
    if last == ")":
        return head not in ("for", "while", "if", "with")
    return (_is_word(last[-1]) or last[-1] in "]\"'`") and last not in ("else", "do")


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$"
