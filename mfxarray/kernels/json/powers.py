"""Powers of ten as 128-bit numbers, for exact conversion of decimal text."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["BINARY_EXPONENT", "HIGH", "LARGEST", "LOW", "SMALLEST", "SMALL_POWERS"]

# below, 19 digits give less than half the smallest double; above, one digit gives infinity
SMALLEST, LARGEST = -342, 308
# these powers of ten are doubles themselves
SMALL_POWERS = np.array([10.0**power for power in range(23)])


def _significand(power: int) -> tuple[int, int]:
    """Return the first 128 bits of 5**power, rounded down, and floor(log2(5**power))."""
    if power >= 0:
        exact = 5**power
        exponent = exact.bit_length() - 1
        surplus = exponent - 127
        return (exact >> surplus if surplus > 0 else exact << -surplus), exponent
    divisor = 5**-power
    exponent = -divisor.bit_length()
    return (1 << (127 - exponent)) // divisor, exponent


def _tables() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    powers = range(SMALLEST, LARGEST + 1)
    found = [_significand(power) for power in powers]
    high = np.array([bits >> 64 for bits, _ in found], np.uint64)
    low = np.array([bits & (2**64 - 1) for bits, _ in found], np.uint64)
    exponents = [exponent + power for (_, exponent), power in zip(found, powers, strict=True)]
    return high, low, np.array(exponents, np.int64)


# rounded down, 10**q is (HIGH * 2**64 + LOW) * 2**(BINARY_EXPONENT - 127) at index q - SMALLEST
HIGH, LOW, BINARY_EXPONENT = _tables()
