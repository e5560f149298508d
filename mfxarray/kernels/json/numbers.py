"""Decimal text to the nearest double, the same bits as Python's float().

A decimal is scanned into an integer of at most 19 digits and a power of ten. Small ones are exact
products or quotients of doubles (Clinger); the others are products with 128 bits of the power of
ten (Eisel and Lemire). The product is known to lie within two units of its last of 128 bits. Where
that does not settle the rounding (ties, denormal results), the number is reported as unsure, and
Python's float() has to read it.

References
----------
Clinger (1990), How to read floating point numbers accurately. PLDI, 92-101.
Lemire (2021), Number parsing at a gigabyte per second. Softw. Pract. Exp. 51, 1700-1727.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.json.powers import (
    BINARY_EXPONENT,
    HIGH,
    LARGEST,
    LOW,
    SMALL_POWERS,
    SMALLEST,
)

__all__ = ["BAD", "CUT", "EXACT", "number_value", "parse_decimals", "scan_number"]

Array = np.ndarray[Any, Any]

# how a scan ended: no number of the JSON grammar, all digits kept, only the first 19 kept
BAD, EXACT, CUT = 0, 1, 2

_MAX_DIGITS = 19
# longer numbers are left to Python, which has a limit of its own
_LONGEST = 1000
_EXPONENT_CAP = 100_000
_MINUS, _PLUS, _POINT, _NEWLINE = 45, 43, 46, 10
_U0, _U1, _U10, _U48 = (np.uint64(n) for n in (0, 1, 10, 48))
_U32, _U52, _U63 = (np.uint64(n) for n in (32, 52, 63))
_LOW_HALF = np.uint64(2**32 - 1)
_EXACT_INTEGER = np.uint64(2**53)
_FRACTION = np.uint64(2**52 - 1)
_NEARLY_FULL = np.uint64(2**64 - 2)
_INFINITE_EXPONENT = 2047


def parse_decimals(text: bytes) -> tuple[Array, Array]:
    """Return the values of decimals, one a line, and which of them are sure.

    Parameters
    ----------
    text
        Numbers of the JSON grammar, each followed by a newline.

    Returns
    -------
    values : float64, shape (line,)
        Nearest doubles.
    sure : bool, shape (line,)
        False where Python's float() must decide, or where the line is no number.
    """
    buffer = np.frombuffer(text + b"\0", np.uint8)
    count = text.count(b"\n")
    values, sure = np.zeros(count), np.zeros(count, np.bool_)
    _parse_lines(buffer, values, sure)
    return values, sure


@njit(nogil=True, cache=True, error_model="numpy")
def _parse_lines(text, values, sure):  # type: ignore[no-untyped-def]
    at = 0
    for line in range(len(values)):
        end, _, negative, mantissa, exponent, state = scan_number(text, at)
        if state != BAD and text[end] == _NEWLINE:
            value, known = number_value(mantissa, exponent, state)
            values[line] = -value if negative else value
            sure[line] = known
        at = max(end, at)
        while text[at] != _NEWLINE:
            at += 1
        at += 1


@njit(nogil=True, cache=True, error_model="numpy")
def scan_number(text, at):  # type: ignore[no-untyped-def]
    """Return end, whole, negative, mantissa, exponent and state of the number at ``at``.

    The text must end with a byte that belongs to no number. ``whole`` says that neither a fraction
    nor an exponent is written; the value is +-mantissa * 10**exponent.
    """
    negative = text[at] == _MINUS
    first = at + 1 if negative else at
    at, mantissa = _digits(text, first, _U0)
    whole_digits = at - first
    if whole_digits == 0 or (whole_digits > 1 and text[first] == _U48):
        return at, False, negative, _U0, 0, BAD
    whole, exponent, digits = True, 0, whole_digits
    if text[at] == _POINT:
        point = at + 1
        at, mantissa = _digits(text, point, mantissa)
        if at == point:
            return at, False, negative, _U0, 0, BAD
        whole, exponent, digits = False, point - at, digits + at - point
    state = EXACT
    if digits > _MAX_DIGITS:
        if digits > _LONGEST:
            return at, False, negative, _U0, 0, BAD
        mantissa, exponent, state = _first_digits(text, first, at)
    if text[at] | 32 == 101:  # e or E
        at, more = _written_exponent(text, at + 1)
        if more > _EXPONENT_CAP:
            return at, False, negative, _U0, 0, BAD
        whole, exponent = False, exponent + more
    return at, whole, negative, mantissa, exponent, state


@njit(nogil=True, cache=True, error_model="numpy")
def _digits(text, at, mantissa):  # type: ignore[no-untyped-def]
    """Return where the digits end, and the integer that they continue (wraps beyond 19)."""
    digit = np.uint64(text[at]) - _U48
    while digit < _U10:
        mantissa = mantissa * _U10 + digit
        at += 1
        digit = np.uint64(text[at]) - _U48
    return at, mantissa


@njit(nogil=True, cache=True, error_model="numpy")
def _first_digits(text, at, end):  # type: ignore[no-untyped-def]
    """Return mantissa, exponent and state from the first 19 digits that are not leading zeros."""
    mantissa, kept, exponent, state, after_point = _U0, 0, 0, EXACT, False
    for place in range(at, end):
        if text[place] == _POINT:
            after_point = True
            continue
        digit = np.uint64(text[place]) - _U48
        if kept < _MAX_DIGITS:
            mantissa = mantissa * _U10 + digit
            if mantissa > _U0:
                kept += 1
            exponent -= after_point
        else:
            exponent += not after_point
            if digit > _U0:
                state = CUT
    return mantissa, exponent, state


@njit(nogil=True, cache=True, error_model="numpy")
def _written_exponent(text, at):  # type: ignore[no-untyped-def]
    """Return where the exponent ends and its value, beyond the cap if there are no digits."""
    minus = text[at] == _MINUS
    if minus or text[at] == _PLUS:
        at += 1
    digit = np.int64(text[at]) - 48
    if digit < 0 or digit > 9:
        return at, _EXPONENT_CAP + 1
    value = 0
    while 0 <= digit <= 9:
        if value < _EXPONENT_CAP:
            value = value * 10 + int(digit)
        at += 1
        digit = np.int64(text[at]) - 48
    value = min(value, _EXPONENT_CAP)
    return at, (-value if minus else value)


@njit(nogil=True, cache=True, error_model="numpy")
def number_value(mantissa, exponent, state):  # type: ignore[no-untyped-def]
    """Return the double nearest to mantissa * 10**exponent, and whether it is sure."""
    if state == EXACT:
        if exponent == 0:
            return np.float64(mantissa), True
        if mantissa <= _EXACT_INTEGER and -22 <= exponent <= 22:
            if exponent < 0:
                return np.float64(mantissa) / SMALL_POWERS[-exponent], True
            return np.float64(mantissa) * SMALL_POWERS[exponent], True
        return _rounded(mantissa, exponent)
    # digits were cut off: the number lies between this integer and the next
    value, sure = _rounded(mantissa, exponent)
    above, sure_above = _rounded(mantissa + _U1, exponent)
    return value, sure and sure_above and value == above


@njit(nogil=True, cache=True, error_model="numpy")
def _rounded(mantissa, exponent):  # type: ignore[no-untyped-def]
    if mantissa == _U0 or exponent < SMALLEST:
        return 0.0, True
    if exponent > LARGEST:
        return np.inf, True
    zeros = _leading_zeros(mantissa)
    scaled = mantissa << np.uint64(zeros)
    entry = exponent - SMALLEST
    high, low = _product(scaled, HIGH[entry])
    more, _ = _product(scaled, LOW[entry])
    low += more
    if low < more:
        high += _U1
    return _nearest(high, low, BINARY_EXPONENT[entry] - zeros)


@njit(nogil=True, cache=True, error_model="numpy")
def _nearest(high, low, exponent):  # type: ignore[no-untyped-def]
    """Round a number within [0, 2) units above high:low to 53 bits."""
    top = high >> _U63
    shift = top + _U10
    significand = high >> shift
    rest = high & ((_U1 << shift) - _U1)
    half = _U1 << (shift - _U1)
    if rest == half - _U1 and low >= _NEARLY_FULL:
        return 0.0, False
    if rest == half and low == _U0:
        return 0.0, False
    significand += rest >= half
    carry = significand >> np.uint64(53)
    biased = exponent + np.int64(shift) + np.int64(carry) + 1076
    if biased < 1:
        return 0.0, False
    if biased >= _INFINITE_EXPONENT:
        return np.inf, True
    fraction = (significand >> carry) & _FRACTION
    return np.uint64(fraction | (np.uint64(biased) << _U52)).view(np.float64), True


@njit(nogil=True, cache=True, error_model="numpy")
def _product(a, b):  # type: ignore[no-untyped-def]
    """Return the upper and the lower 64 bits of a product."""
    a_high, a_low = a >> _U32, a & _LOW_HALF
    b_high, b_low = b >> _U32, b & _LOW_HALF
    low = a_low * b_low
    middle = a_high * b_low + (low >> _U32)
    other = a_low * b_high + (middle & _LOW_HALF)
    high = a_high * b_high + (middle >> _U32) + (other >> _U32)
    return high, (other << _U32) | (low & _LOW_HALF)


@njit(nogil=True, cache=True, error_model="numpy")
def _leading_zeros(value):  # type: ignore[no-untyped-def]
    zeros = 0
    for step in (32, 16, 8, 4, 2, 1):
        if value >> np.uint64(64 - step) == _U0:
            zeros += step
            value <<= np.uint64(step)
    return zeros
