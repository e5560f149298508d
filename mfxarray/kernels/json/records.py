"""Values of JSON records by a layout known beforehand.

`parse_records` compares each record with the text between the values of the first one, and reads
what stands in between. It never guesses: a record that deviates in anything but white space is left
to a slower reader.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mfxarray.kernels.json.numbers import BAD, EXACT, number_value, scan_number
from mfxarray.kernels.json.split import after_space

__all__ = ["BOOL", "FLOAT", "FLOAT32", "INTEGER", "TEXT", "parse_records"]

# kinds of values
FLOAT, FLOAT32, INTEGER, BOOL, TEXT = 0, 1, 2, 3, 4

_BLANK, _QUOTE, _BACKSLASH, _MINUS, _ZERO, _ONE = 32, 34, 92, 45, 48, 49
_DELETE = 127
_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_NULL = np.frombuffer(b"null", np.uint8)
_NAN = np.frombuffer(b"NaN", np.uint8)
_INFINITY = np.frombuffer(b"Infinity", np.uint8)
_LARGEST_FLOAT32 = np.float64(np.finfo(np.float32).max)
# integers of a double beyond this are not told apart
_EXACT_INTEGER = 2.0**53
_INTEGER_DIGITS = np.uint64(2**63)


@njit(nogil=True, cache=True, error_model="numpy")
def parse_records(  # type: ignore[no-untyped-def]
    text,
    starts,
    ends,
    rows,
    literal,
    loose,
    stops,
    kinds,
    lows,
    highs,
    bases,
    strides,
    floats,
    whole,
):
    """Read the values of records that follow a layout; return which of them do not, shape (n,).

    Parameters
    ----------
    text
        Bytes, uint8, a zero byte last.
    starts, ends, rows
        Where the records lie, and the number of each among all of its block, shape (n,).
    literal, loose, stops
        Bytes between the values without white space, which of them white space may precede, and
        where the part before each value ends; the rest follows the last value.
    kinds, lows, highs
        Kind of each value, and the range of an integer.
    bases, strides
        Where the value of record r goes: ``bases + r * strides``.
    floats, whole
        The same memory of 8-byte numbers as float64 and as int64. Truth values go there as
        integers; what is left of a record that deviates is undefined.
    """
    deviates = np.zeros(len(starts), np.bool_)
    n_values = len(kinds)
    for record in range(len(starts)):
        at, begin, row = starts[record], 0, rows[record]
        for number in range(n_values):
            at = _after_literal(text, at, literal, loose, begin, stops[number])
            if at < 0:
                break
            begin = stops[number]
            kind, place = kinds[number], bases[number] + row * strides[number]
            at = after_space(text, at)
            if kind <= FLOAT32:
                at = _read_float(text, at, kind, floats, place)
            elif kind == INTEGER:
                at = _read_integer(text, at, lows[number], highs[number], whole, place)
            elif kind == BOOL:
                at = _read_bool(text, at, whole, place)
            else:
                at = _after_plain_value(text, at)
            if at < 0:
                break
        if at >= 0:
            at = _after_literal(text, at, literal, loose, begin, len(literal))
        deviates[record] = at != ends[record]
    return deviates


@njit(nogil=True, cache=True, error_model="numpy")
def _after_literal(text, at, literal, loose, begin, stop):  # type: ignore[no-untyped-def]
    """Return the place after the literal, -1 where something else stands."""
    for place in range(begin, stop):
        if loose[place]:
            at = after_space(text, at)
        if text[at] != literal[place]:
            return -1
        at += 1
    return at


@njit(nogil=True, cache=True, error_model="numpy")
def _after_word(text, at, word):  # type: ignore[no-untyped-def]
    for letter in word:
        if text[at] != letter:
            return -1
        at += 1
    return at


@njit(nogil=True, cache=True, error_model="numpy")
def _after_plain_value(text, at):  # type: ignore[no-untyped-def]
    """Return the place after a number, a word or ASCII without escapes, -1 for anything else."""
    if text[at] != _QUOTE:
        for word in (_TRUE, _FALSE, _NULL, _NAN):
            if text[at] == word[0]:
                return _after_word(text, at, word)
        end, _, _, _, _, state = scan_number(text, at)
        return -1 if state == BAD else end
    at += 1
    while text[at] != _QUOTE:
        if text[at] < _BLANK or text[at] >= _DELETE or text[at] == _BACKSLASH:
            return -1
        at += 1
    return at + 1


@njit(nogil=True, cache=True, error_model="numpy")
def _read_float(text, at, kind, floats, place):  # type: ignore[no-untyped-def]
    end, whole, negative, mantissa, exponent, state = scan_number(text, at)
    if state == BAD:
        return _read_special(text, at, floats, place)
    value, sure = number_value(mantissa, exponent, state)
    if not sure or (kind == FLOAT32 and _LARGEST_FLOAT32 < value < np.inf):
        return -1
    # json reads the integer -0 as 0
    floats[place] = -value if negative and not (whole and value == 0.0) else value
    return end


@njit(nogil=True, cache=True, error_model="numpy")
def _read_special(text, at, floats, place):  # type: ignore[no-untyped-def]
    if text[at] == _NAN[0]:
        floats[place] = np.nan
        return _after_word(text, at, _NAN)
    if text[at] == _NULL[0]:
        floats[place] = np.nan
        return _after_word(text, at, _NULL)
    if text[at] == _MINUS:
        floats[place] = -np.inf
        return _after_word(text, at + 1, _INFINITY)
    floats[place] = np.inf
    return _after_word(text, at, _INFINITY)


@njit(nogil=True, cache=True, error_model="numpy")
def _read_integer(text, at, low, high, integers, place):  # type: ignore[no-untyped-def]
    end, whole, negative, mantissa, exponent, state = scan_number(text, at)
    if state != EXACT:
        return -1
    if whole and exponent == 0 and mantissa < _INTEGER_DIGITS:
        value = np.int64(mantissa)
    else:
        double, sure = number_value(mantissa, exponent, state)
        if not sure or double > _EXACT_INTEGER or double != np.floor(double):
            return -1
        value = np.int64(double)
    value = -value if negative else value
    if value < low or value > high:
        return -1
    integers[place] = value
    return end


@njit(nogil=True, cache=True, error_model="numpy")
def _read_bool(text, at, integers, place):  # type: ignore[no-untyped-def]
    byte = text[at]
    if byte in (_ZERO, _ONE):
        integers[place] = byte == _ONE
        return at + 1
    integers[place] = byte == _TRUE[0]
    return _after_word(text, at, _TRUE) if byte == _TRUE[0] else _after_word(text, at, _FALSE)
