"""Which half of a random split things belong to: a hash of their numbers, so no order matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit, uint64

__all__ = ["MOST_SPLITS", "add_half", "split_words"]

Array = np.ndarray[Any, Any]

# a word has a bit for each
MOST_SPLITS = 64


def split_words(seed: int, columns: Sequence[Array]) -> Array:
    """Return 64 random bits a row, shape (row,), uint64; bit k is the half in split k.

    Parameters
    ----------
    seed
        Another seed, other splits.
    columns
        Whole numbers, shape (row,) each. Rows alike in all of them get the same bits; a column of
        zeros in front of the others changes nothing but the bits themselves.

    References
    ----------
    G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014
    (the finalizer of SplitMix64).
    """
    words = np.full(len(columns[0]), np.uint64(seed % 2**64))
    for column in columns:
        _stir(words, np.ascontiguousarray(column, np.int64).view(np.uint64))
    return words


def add_half(
    image: Array,
    place: Array,
    halves: Array,
    step: Array,
    *,
    bits: tuple[int, int, int],
    split: int | None,
    until: int,
) -> int:
    """Add the points of one half to an image, in place, and return how many there are.

    Parameters
    ----------
    image
        Shape (z, y, x), float32.
    place
        Pixel of each point (x fastest, then y, then z, each counted to a power of two), int32.
    halves
        Words of `split_words`, or their lowest bits.
    step
        A number of each point; empty where there is none.
    bits
        Binary logarithms of the powers of two along z, y, x.
    split
        Points count that have this bit; None for all.
    until
        Points count whose number is at most this.
    """
    number = -1 if split is None else split
    return int(_add_half(image, place, halves, step, bits, number, until))


@njit(nogil=True, cache=True)
def _mix(word):  # type: ignore[no-untyped-def]
    word = uint64(word + uint64(0x9E3779B97F4A7C15))
    word = uint64((word ^ (word >> uint64(30))) * uint64(0xBF58476D1CE4E5B9))
    word = uint64((word ^ (word >> uint64(27))) * uint64(0x94D049BB133111EB))
    return word ^ (word >> uint64(31))


@njit(nogil=True, cache=True)
def _stir(words, column):  # type: ignore[no-untyped-def]
    for row in range(len(words)):
        # mixed before, so that (seed 1, number 2) is not (seed 2, number 1), and twice after: once
        # leaves some pairs of bits correlated by several per cent for consecutive numbers
        words[row] = _mix(_mix(_mix(words[row]) ^ column[row]))


@njit(nogil=True, cache=True)
def _add_half(image, place, halves, step, bits, split, until):  # type: ignore[no-untyped-def]
    _, by, bx = bits
    stepped, found = len(step) > 0, 0
    shift = uint64(max(split, 0))
    for point in range(len(place)):
        if split >= 0 and (uint64(halves[point]) >> shift) & uint64(1) == 0:
            continue
        if stepped and step[point] > until:
            continue
        at = place[point]
        image[at >> (bx + by), (at >> bx) & ((1 << by) - 1), at & ((1 << bx) - 1)] += np.float32(1)
        found += 1
    return found
