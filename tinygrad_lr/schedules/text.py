"""`from_text`: a schedule from a text such as "warmup(5) then cosine(95)". A small grammar, and no `eval`.

    schedule  = product, then as often as one likes: "then" product
    product   = part, then as often as one likes: "*" part
    part      = (number | call | "(" schedule ")"), then as often as one likes: "." method
    call      = name "(" arguments ")", or a name alone where it needs no arguments
    method    = "then", "clip", "repeat" or "shift" with "(" arguments ")"
    arguments = values and name=value pairs, with commas between
    value     = number | 'text' | word | True | False | None | "[" values "]" | "(" values ")" | schedule

The names are those of the constructors, and the aliases of the rows in table.py. What a schedule's `repr` writes is in
the grammar, but for functions. `train --schedule` and the command `schedule` read their texts here.
"""

from __future__ import annotations

import inspect
import operator
import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_lr.integers import shown
from tinygrad_lr.suggesting import meant

from .base import Schedule
from .table import SCHEDULES

__all__ = ["TextError", "from_text"]

LONGEST = 10_000  # characters
DEEPEST = 100  # levels of parentheses

_TOKEN = re.compile(
    r"""(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<sign>[()\[\],.=*-])""",
    re.VERBOSE | re.ASCII,
)
_METHODS = ("then", "clip", "repeat", "shift")
_CONSTANTS = {"True": True, "False": False, "None": None}


class TextError(ValueError):
    """A text that is no schedule. The message says what was expected and what came, and points at the place.

    Attributes:
        reason: the message's first line.
        text, place: what was read, and the character in it, from 0, where it went wrong.
    """

    def __init__(self, reason: str, text: str, place: int) -> None:
        self.reason, self.text, self.place = reason, text, place
        before = max(0, place - 60)
        line = "".join(each if each.isprintable() else " " for each in text[before : place + 40])
        super().__init__(f"{reason}\n  {line}\n  {' ' * sum(map(_columns, line[: place - before]))}^")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.text, self.place)


def _columns(letter: str) -> int:
    """How many columns a letter takes in a terminal."""
    return 0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1


class _Token(NamedTuple):
    kind: str  # number, name, text, sign, end
    text: str
    place: int

    @property
    def said(self) -> str:
        """The token as a message names it."""
        return "the end of the text" if self.kind == "end" else shown(self.text)


def from_text(text: str) -> Schedule:
    """The schedule that a text describes.

    Args:
        text: such as "warmup(5) then cosine(95)", "(warmup(5) then cosine(95, end=0.1)) * 0.5" or
            "cosine(10).repeat(3).clip(min=0.01)". `*` binds tighter than `then`.

    Raises:
        TypeError: no text.
        TextError: (a ValueError) a text that is no schedule, an unknown name or argument, or a value that a constructor
            refuses. The message has a line with a caret under the place.

    Example:
        >>> from_text("warmup(5) then cosine(95) * 0.5")
        warmup(5).then(cosine(95) * 0.5)
        >>> from_text("warmup(5) then cosin(95)")
        Traceback (most recent call last):
            ...
        tinygrad_lr.schedules.text.TextError: no schedule is called 'cosin'; did you mean 'cosine'?
          warmup(5) then cosin(95)
                         ^
    """
    if not isinstance(text, str):
        raise TypeError(f"from_text takes a text such as 'warmup(5) then cosine(95)', got {shown(text)}")
    if len(text) > LONGEST:
        raise TextError(
            f"a schedule's text has at most {LONGEST:,} characters, this one has {len(text):,}", text, LONGEST
        )
    return _Reader(text).whole()


def constructors() -> dict[str, Callable[..., Schedule]]:
    """What a text may call, by name: the constructors, and the aliases that are names."""
    from . import phases

    found: dict[str, Callable[..., Schedule]] = {}
    for row in SCHEDULES.values():
        constructor = row.constructor or row.name
        for name in (constructor, *row.aliases):
            if name.isidentifier():
                found.setdefault(name, getattr(phases, constructor))
    return found


class _Reader:
    """Reads a text from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.depth = text, 0
        self.tokens = self._tokens()
        self.index = 0
        self.known = constructors()

    def _tokens(self) -> list[_Token]:
        found, place = [], 0
        while place < len(self.text):
            if self.text[place].isspace():
                place += 1
                continue
            match = _TOKEN.match(self.text, place)
            if match is None:
                hint = ": the quotation mark is not closed" if self.text[place] in "'\"" else ""
                raise TextError(f"{shown(self.text[place])} has no meaning in a schedule{hint}", self.text, place)
            found.append(_Token(match.lastgroup or "", match[0], place))
            place = match.end()
        return [*found, _Token("end", "", len(self.text))]

    # --- tokens -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> _Token:
        return self.tokens[self.index]

    def take(self) -> _Token:
        token = self.now
        self.index += token.kind != "end"
        return token

    def took(self, text: str) -> bool:
        """Whether the next token is this sign or word; it is taken then."""
        if self.now.text != text or self.now.kind not in ("sign", "name"):
            return False
        self.take()
        return True

    def fail(self, reason: str, token: _Token | None = None) -> TextError:
        return TextError(reason, self.text, (token or self.now).place)

    def expected(self, what: str) -> TextError:
        return self.fail(f"expected {what}, got {self.now.said}")

    # --- the grammar --------------------------------------------------------------------------------------------------

    def whole(self) -> Schedule:
        found = self.schedule("a schedule such as cosine(100)")
        if self.now.kind != "end":
            raise self.expected("'then', '*', a method such as .clip(...), or the end of the text")
        return found

    def schedule(self, what: str) -> Schedule:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"a schedule's text has at most {DEEPEST} levels of parentheses")
        found = self.product(what)
        while self.now.text == "then" and self.now.kind == "name":
            word = self.take()
            found = self.built(word, Schedule.then, found, self.product("a schedule after 'then'"))
        self.depth -= 1
        return found

    def product(self, what: str) -> Schedule:
        first = self.now
        found = self.part(what)
        while self.now.text == "*":
            sign = self.take()
            other = self.part("a schedule or a number after '*'")
            if not isinstance(found, Schedule) and not isinstance(other, Schedule):
                raise self.fail("one side of '*' must be a schedule, and both are numbers", sign)
            found = self.built(sign, operator.mul, found, other)
        if not isinstance(found, Schedule):
            raise self.fail(f"expected {what}, got a number; a rate that does not change is constant(number)", first)
        return found

    def part(self, what: str) -> Any:
        token = self.now
        if token.kind == "number" or token.text == "-":
            return self.number()
        if self.took("("):
            found = self.schedule("a schedule after '('")
            if not self.took(")"):
                raise self.expected("')', 'then', '*' or a method")
        elif token.kind == "name" and token.text != "then":
            found = self.call(self.take())
        else:
            raise self.expected(what)
        while self.took("."):
            name = self.take()
            if name.text not in _METHODS:
                raise self.fail(f"expected one of the methods {', '.join(_METHODS)} after '.', got {name.said}", name)
            if self.now.text != "(":
                raise self.expected(f"'(' after .{name.text}")
            method: Callable[..., Schedule] = getattr(found, name.text)
            found = self.applied(name, method, f".{name.text}")
        return found

    def call(self, name: _Token) -> Schedule:
        if name.text not in self.known:
            hint = meant(name.text, self.known, f"there are {', '.join(self.known)}", most=2)
            raise self.fail(f"no schedule is called {shown(name.text)}; {hint}", name)
        return self.applied(name, self.known[name.text], name.text)

    def applied(self, name: _Token, function: Callable[..., Schedule], called: str) -> Schedule:
        """The result of a call, with the arguments that follow."""
        values: list[Any] = []
        named: dict[str, Any] = {}
        places: dict[str, _Token] = {}
        known = inspect.signature(function).parameters
        has = f"it has {', '.join(known)}" if known else "it has none"
        if self.took("("):
            while not self.took(")"):
                token, follows = self.now, self.tokens[min(self.index + 1, len(self.tokens) - 1)]
                if token.kind == "name" and follows.text == "=":
                    self.take()
                    self.take()
                    if token.text not in known:
                        raise self.fail(
                            f"{called} has no argument {shown(token.text)}; {meant(token.text, known, has)}", token
                        )
                    if token.text in named or token.text in list(known)[: len(values)]:
                        raise self.fail(f"{called} has its argument {token.text!r} already", token)
                    places[token.text] = self.now
                    named[token.text] = self.value(f"a value for {token.text}")
                elif named:
                    raise self.expected("a name=value pair, since those before it have names")
                elif len(values) == len(known):
                    raise self.fail(f"{called} takes at most {len(known)} arguments: {has}", token)
                else:
                    places[list(known)[len(values)]] = token
                    values.append(self.value(f"a value for {list(known)[len(values)]}, or ')'"))
                if self.now.text != ")" and not self.took(","):
                    raise self.expected(f"',' or ')' in the arguments of {called}")
        given = {*list(known)[: len(values)], *named}
        missing = [each for each, about in known.items() if about.default is about.empty and each not in given]
        if missing:
            raise self.fail(f"{called} needs {', '.join(missing)}; {has}", name)
        try:
            return function(*values, **named)
        except (TypeError, ValueError, OverflowError) as error:
            words = str(error).split()
            raise self.fail(str(error), places.get(words[0] if words else "", name)) from error

    def built(self, token: _Token, function: Callable[[Any, Any], Schedule], one: Any, other: Any) -> Schedule:
        """What two schedules make; an error points at the token between them."""
        try:
            return function(one, other)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.fail(str(error), token) from error

    def value(self, what: str) -> Any:
        token, follows, then = (self.tokens[min(self.index + ahead, len(self.tokens) - 1)] for ahead in range(3))
        if token.kind == "number" or token.text == "-":
            return self.number()
        if token.kind == "text":
            return self.take().text[1:-1]
        numbers = (follows.kind == "number" and then.text != "*") or follows.text in ("-", ")")
        if token.text == "[" or (token.text == "(" and numbers):
            return self.several()
        if token.kind == "name" and token.text in _CONSTANTS:
            return _CONSTANTS[self.take().text]
        if token.text == "(" or (token.kind == "name" and follows.text in ("(", ".")):
            return self.schedule(what)
        if token.kind == "name":
            return self.take().text
        raise self.expected(what)

    def several(self) -> list[Any]:
        """A list of numbers."""
        closing = "]" if self.take().text == "[" else ")"
        found: list[Any] = []
        while not self.took(closing):
            found.append(self.number())
            if self.now.text != closing and not self.took(","):
                raise self.expected(f"',' or '{closing}' in a list of numbers")
        return found

    def number(self) -> int | float:
        negative = self.took("-")
        token = self.now
        if token.kind != "number":
            raise self.expected("a number")
        self.take()
        if self.now.kind == "name" and self.now.place == token.place + len(token.text):
            raise self.fail(f"expected a number, got {shown(token.text + self.now.text)}", token)
        whole = token.text.replace("_", "").isdigit()
        digits = token.text.replace("_", "")
        plain = int(digits) if whole and len(digits) < 400 else float(digits)
        return -plain if negative else plain
