"""Formulas of detectors, ``13C/(12C+13C)``: a small parser, and values with exact slopes.

Grammar: numbers, names of detectors, ``+ - * /``, ``**`` with a number as the exponent, and
parentheses, with Python's precedence. A name is the longest that fits; one that holds an operator
or could be a number is written in quotes, ``"12C 14N"``. Nothing is ever evaluated by Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Constant", "Detector", "Node", "Operation", "evaluate", "names_in", "parse"]

Array = np.ndarray[Any, Any]

_MOST_CHARACTERS = 500
_DEEPEST = 50
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?![\w.])")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_OPERATORS = ("**", "+", "-", "*", "/", "(", ")")


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: float


@dataclass(frozen=True)
class Detector:
    """The counts of a detector."""

    name: str


@dataclass(frozen=True)
class Operation:
    """Two formulas and what joins them: ``+ - * /``, or ``**`` with a Constant on the right."""

    sign: str
    left: Node
    right: Node


Node = Constant | Detector | Operation


def parse(text: str, names: Sequence[str]) -> Node:
    """Return the tree of a formula.

    Parameters
    ----------
    text
        The formula.
    names
        Names of the detectors that there are.

    Raises
    ------
    ValueError
        If it cannot be read; says where and why.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"a formula may have {_MOST_CHARACTERS} characters, not {len(text)}")
    reader = _Reader(text, _tokens(text, names))
    tree = reader.total()
    reader.finish()
    if not names_in(tree):
        raise ValueError(f"the formula {text!r} names no detector; there are {_list(names)}")
    return tree


def names_in(node: Node) -> list[str]:
    """Return the detectors of a formula, each once, in the order of their first use."""
    if isinstance(node, Operation):
        return list(dict.fromkeys(names_in(node.left) + names_in(node.right)))
    return [node.name] if isinstance(node, Detector) else []


def evaluate(node: Node, counts: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Return the value of a formula and its slope along the counts of every detector.

    Parameters
    ----------
    node
        Result of `parse`.
    counts
        Arrays of one shape, float64, by detector.
    """
    if isinstance(node, Constant):
        return np.float64(node.value), {}  # type: ignore[return-value]
    if isinstance(node, Detector):
        return counts[node.name], {node.name: np.float64(1.0)}  # type: ignore[dict-item]
    left, left_slopes = evaluate(node.left, counts)
    right, right_slopes = evaluate(node.right, counts)
    value, by_left, by_right = _joined(node.sign, left, right)
    slopes = {name: by_left * slope for name, slope in left_slopes.items()}
    for name, slope in right_slopes.items():
        slopes[name] = slopes[name] + by_right * slope if name in slopes else by_right * slope
    return value, slopes


def _joined(sign: str, left: Array, right: Array) -> tuple[Array, Any, Any]:
    """Return the value of an operation and its slopes along both sides."""
    if sign == "+":
        return left + right, 1.0, 1.0
    if sign == "-":
        return left - right, 1.0, -1.0
    if sign == "*":
        return left * right, right, left
    if sign == "/":
        value = left / right
        return value, 1.0 / right, -value / right
    if right == 0:
        return left**right, np.zeros_like(left), 0.0
    return left**right, right * left ** (right - 1.0), 0.0


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str, names: Sequence[str]) -> list[_Token]:
    plain = sorted((n for n in names if _is_plain(n)), key=lambda name: -len(name))
    patterns = [(name, re.compile(_loose(name) + r"(?![\w.])")) for name in plain]
    found: list[_Token] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token, place = _token(text, place, names, patterns)
        found.append(token)
    return found


def _token(
    text: str, place: int, names: Sequence[str], patterns: list[tuple[str, re.Pattern[str]]]
) -> tuple[_Token, int]:
    quoted = _QUOTED.match(text, place)
    if quoted:
        name = quoted[1] if quoted[1] is not None else quoted[2]
        if name not in names:
            raise ValueError(f"no detector {name!r} in {text!r}; there are {_list(names)}")
        return _Token("name", name, place), quoted.end()
    for name, pattern in patterns:
        match = pattern.match(text, place)
        if match:
            return _Token("name", name, place), match.end()
    number = _NUMBER.match(text, place)
    if number:
        return _Token("number", number[0], place), number.end()
    for sign in _OPERATORS:
        if text.startswith(sign, place):
            return _Token(sign, sign, place), place + len(sign)
    raise ValueError(
        f"cannot read {text[place : place + 20]!r} in {text!r}; there are the detectors "
        f"{_list(names)}, numbers, + - * / ** and parentheses"
    )


def _is_plain(name: str) -> bool:
    """Tell whether a name may stand without quotes."""
    return bool(re.fullmatch(r"[\w ]*[^\W\d][\w ]*", name)) and not _NUMBER.fullmatch(name)


def _loose(name: str) -> str:
    """Return a pattern of a name that takes any blanks between its parts."""
    return r"\s+".join(re.escape(part) for part in name.split())


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


class _Reader:
    """Reads tokens from left to right; one method for every level of precedence."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text, self._tokens = text, tokens
        self._next = self._depth = 0

    def total(self) -> Node:
        """Return the sum that begins here: products joined by + and -."""
        node = self._product()
        while self._kind() in ("+", "-"):
            node = Operation(self._take().kind, node, self._product())
        return node

    def finish(self) -> None:
        """Raise unless all of the text was read."""
        if self._next < len(self._tokens):
            raise self._wrong("an operator")

    def _product(self) -> Node:
        node = self._signed()
        while self._kind() in ("*", "/"):
            node = Operation(self._take().kind, node, self._signed())
        return node

    def _signed(self) -> Node:
        if self._kind() not in ("+", "-"):
            return self._power()
        sign = self._take().kind
        self._deeper(1)
        node = self._signed()
        self._deeper(-1)
        return node if sign == "+" else Operation("*", Constant(-1.0), node)

    def _power(self) -> Node:
        base = self._atom()
        if self._kind() != "**":
            return base
        self._take()
        negative = self._kind() == "-"
        if negative:
            self._take()
        if self._kind() != "number":
            raise self._wrong("a number as the exponent")
        exponent = float(self._take().text)
        if self._kind() == "**":
            raise self._wrong("parentheses around one of two exponents")
        return Operation("**", base, Constant(-exponent if negative else exponent))

    def _atom(self) -> Node:
        kind = self._kind()
        if kind == "number":
            return Constant(float(self._take().text))
        if kind == "name":
            return Detector(self._take().text)
        if kind != "(":
            raise self._wrong("a detector, a number or '('")
        self._take()
        self._deeper(1)
        node = self.total()
        self._deeper(-1)
        if self._kind() != ")":
            raise self._wrong("')'")
        self._take()
        return node

    def _kind(self) -> str:
        return self._tokens[self._next].kind if self._next < len(self._tokens) else "end"

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _deeper(self, step: int) -> None:
        self._depth += step
        if self._depth > _DEEPEST:
            raise ValueError(f"the formula is nested deeper than {_DEEPEST} levels")

    def _wrong(self, wanted: str) -> ValueError:
        if self._kind() == "end":
            return ValueError(f"the formula {self._text!r} ends where {wanted} should be")
        token = self._tokens[self._next]
        return ValueError(
            f"expected {wanted} instead of {token.text!r} at character {token.place + 1} of "
            f"{self._text!r}"
        )
