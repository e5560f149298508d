"""The translation of a frame once it is roughly known: up the hill, pixel by pixel, to the top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.stabilise import CORRELATED
from mfxarray.kernels.subpixel import peak_offset

__all__ = ["Match", "Scene", "climb", "others", "scene"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scene:
    """A reference and where it can be compared.

    Attributes
    ----------
    image
        Mean of prepared frames less its own mean, shape (y, x), float32; 0 where nothing is seen.
    usable
        Pixels that are seen with all their neighbours: 1, else 0, float32.
    """

    image: Array
    usable: Array


@dataclass(frozen=True)
class Match:
    """A translation (dy, dx), the way from it to the top between pixels, and its score."""

    dy: int
    dx: int
    offset: tuple[float, float]
    score: float


def scene(image: Array, seen: Array) -> Scene:
    """Return a reference made ready from an image, float32, and the pixels seen (bool)."""
    centred = np.empty(image.shape, np.float32)
    _centre(image, seen, centred)
    return Scene(centred, _usable(seen))


def others(
    total: Array, cover: Array, frame: Array, mask: Array, places: tuple[int, int, int, int]
) -> tuple[Array, Array]:
    """Return the mean of all frames but one, float32, and the pixels that it shows (bool).

    Parameters
    ----------
    total, cover
        Sum of all frames, and how many cover a pixel.
    frame
        The one, prepared.
    mask
        1 for its pixels that count, else 0, float32.
    places
        Where it was put: dy, dx on the field of its group, dy, dx of that on the whole field.
    """
    mean = np.empty(total.shape, np.float32)
    seen = np.empty(total.shape, np.bool_)
    _others(total, cover, frame, mask, *places, mean, seen)
    return mean, seen


def climb(frame: Array, mask: Array, reference: Scene, near: tuple[int, int], most: int) -> Match:
    """Return the best translation next to a rough one.

    Parameters
    ----------
    frame
        Prepared, shape (y, x).
    mask
        1 for its pixels that count, else 0, float32.
    reference
        Result of `scene`.
    near
        Where to begin.
    most
        Steps at most.

    Notes
    -----
    The same pixels of the frame are compared at a shift and its eight neighbours, so that a change
    of the overlap cannot bend the peak.
    """
    dy, dx = near
    for step in range(most + 1):
        around, pixels = _around(frame, mask, reference.image, reference.usable, dy, dx)
        up, aside = (int(part) - 1 for part in np.unravel_index(int(around.argmax()), (3, 3)))
        if step == most or around[1, 1] >= around.max():
            break
        dy, dx = dy + up, dx + aside
    score = float(np.arctanh(around[1, 1]) * np.sqrt(max(pixels / CORRELATED - 3.0, 0.0)))
    return Match(dy, dx, peak_offset(around), score)


def _usable(seen: Array) -> Array:
    usable = np.zeros(seen.shape, np.float32)
    if min(seen.shape) > 2:
        lines = seen[:-2] & seen[1:-1] & seen[2:]
        usable[1:-1, 1:-1] = lines[:, :-2] & lines[:, 1:-1] & lines[:, 2:]
    return usable


@njit(nogil=True, cache=True, error_model="numpy")
def _centre(image, seen, centred):  # type: ignore[no-untyped-def]
    height, width = image.shape
    pixels, total = 0, 0.0
    for y in range(height):
        for x in range(width):
            if seen[y, x]:
                pixels += 1
                total += image[y, x]
    mean = np.float32(total / max(pixels, 1))
    for y in range(height):
        for x in range(width):
            centred[y, x] = image[y, x] - mean if seen[y, x] else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def _others(total, cover, frame, mask, dy, dx, dy2, dx2, mean, seen):  # type: ignore[no-untyped-def]
    height, width = total.shape
    # the frame was cut at the edges of the field of its group, and that at those of the whole
    top, bottom = max(0, -dy, -dy - dy2), min(height, height - dy, height - dy - dy2)
    left, right = max(0, -dx, -dx - dx2), min(width, width - dx, width - dx - dx2)
    one, zero = np.float32(1), np.float32(0)
    for y in range(height):
        whole, count, out, known = total[y], cover[y], mean[y], seen[y]
        own = y - dy - dy2
        inside = top <= own < bottom and left < right
        first, last = (left + dx + dx2, right + dx + dx2) if inside else (width, width)
        for x in range(first):
            known[x] = count[x] > zero
            out[x] = np.float32(whole[x]) / max(count[x], one)
        if inside:
            pixels, weight = frame[own, left:right], mask[own, left:right]
            part, number = whole[first:last], count[first:last]
            rest_out, rest_known = out[first:last], known[first:last]
            for x in range(right - left):
                rest = number[x] - weight[x]
                rest_known[x] = rest > zero
                less = np.float32(part[x] - weight[x] * pixels[x])
                rest_out[x] = less / max(rest, one)
        for x in range(last, width):
            known[x] = count[x] > zero
            out[x] = np.float32(whole[x]) / max(count[x], one)


@njit(nogil=True, cache=True, error_model="numpy")
def _around(frame, mask, image, usable, dy, dx):  # type: ignore[no-untyped-def]
    # correlation coefficients at (dy, dx) and around it, and the number of pixels compared
    height, width = frame.shape
    top, bottom = max(1 - dy, 0), min(height - 1 - dy, height)
    left, right = max(1 - dx, 0), min(width - 1 - dx, width)
    found = np.zeros((3, 3))
    if bottom <= top or right <= left:
        return found, 0.0
    pairs = (top, bottom, left, right, dy, dx)
    pixels, mean = _mean(frame, mask, usable, pairs)
    if pixels < 2:
        return found, pixels
    power, cross = _cross(frame, mask, usable, image, mean, pairs)
    if pixels == (bottom - top) * (right - left):
        sums, squares = _whole_sums(image, pairs)
    else:
        sums, squares = _masked_sums(mask, usable, image, pairs)
    for i in range(3):
        for j in range(3):
            variance = power * (squares[i, j] - sums[i, j] ** 2 / pixels)
            if variance > 1e-12 * power * squares[i, j]:
                coefficient = cross[i, j] / np.sqrt(variance)
                found[i, j] = min(max(coefficient, -0.9999999), 0.9999999)
    return found, pixels


# sums run down the columns in single precision, few enough terms to be good and in a fixed order,
# and then across in double precision. Rows are cut from whole arrays: only then does the compiler
# know that pixels lie side by side, and use vector instructions


@njit(nogil=True, cache=True, error_model="numpy")
def _mean(frame, mask, usable, pairs):  # type: ignore[no-untyped-def]
    top, bottom, left, right, dy, dx = pairs
    width = right - left
    weights, values = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for y in range(top, bottom):
        mine, first = frame[y, left:right], mask[y, left:right]
        second = usable[y + dy, left + dx : right + dx]
        for x in range(width):
            weights[x] += first[x] * second[x]
        for x in range(width):
            values[x] += first[x] * second[x] * mine[x]
    pixels, total = _across(weights), _across(values)
    return pixels, np.float32(total / max(pixels, 1.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _cross(frame, mask, usable, image, mean, pairs):  # type: ignore[no-untyped-def]
    top, bottom, left, right, dy, dx = pairs
    width = right - left
    value, energy = np.zeros(width, np.float32), np.zeros(width, np.float32)
    products = np.zeros((9, width), np.float32)
    for y in range(top, bottom):
        mine, first = frame[y, left:right], mask[y, left:right]
        second = usable[y + dy, left + dx : right + dx]
        for x in range(width):
            value[x] = first[x] * second[x] * (mine[x] - mean)
        for x in range(width):
            energy[x] += value[x] * value[x]
        for k in range(9):
            start, product = left + dx + k % 3 - 1, products[k]
            row = image[y + dy + k // 3 - 1, start : start + width]
            for x in range(width):
                product[x] += value[x] * row[x]
    cross = np.empty((3, 3))
    for k in range(9):
        cross[k // 3, k % 3] = _across(products[k])
    return _across(energy), cross


@njit(nogil=True, cache=True, error_model="numpy")
def _masked_sums(mask, usable, image, pairs):  # type: ignore[no-untyped-def]
    top, bottom, left, right, dy, dx = pairs
    width = right - left
    weight = np.empty(width, np.float32)
    sums, squares = np.zeros((9, width), np.float32), np.zeros((9, width), np.float32)
    for y in range(top, bottom):
        allowed, theirs = mask[y, left:right], usable[y + dy, left + dx : right + dx]
        for x in range(width):
            weight[x] = allowed[x] * theirs[x]
        for k in range(9):
            start, first, second = left + dx + k % 3 - 1, sums[k], squares[k]
            row = image[y + dy + k // 3 - 1, start : start + width]
            for x in range(width):
                first[x] += weight[x] * row[x]
            for x in range(width):
                second[x] += weight[x] * row[x] * row[x]
    found = np.empty((2, 3, 3))
    for k in range(9):
        found[0, k // 3, k % 3] = _across(sums[k])
        found[1, k // 3, k % 3] = _across(squares[k])
    return found[0], found[1]


@njit(nogil=True, cache=True, error_model="numpy")
def _whole_sums(image, pairs):  # type: ignore[no-untyped-def]
    # all nine windows share their middle: sums of columns without the first and last rows, once
    top, bottom, left, right, dy, dx = pairs
    first, last = top + dy - 1, bottom + dy + 1
    start, stop = left + dx - 1, right + dx + 1
    columns, columns2 = np.zeros(stop - start, np.float32), np.zeros(stop - start, np.float32)
    for y in range(first + 2, last - 2):
        _add_row(image[y, start:stop], columns, columns2)
    found = np.zeros((2, 3, 3))
    for i in range(3):
        line, line2 = columns.copy(), columns2.copy()
        for y in range(first + i, last - 2 + i):
            if y < first + 2 or y >= last - 2:
                _add_row(image[y, start:stop], line, line2)
        for j in range(3):
            found[0, i, j] = _across(line[j : j + right - left])
            found[1, i, j] = _across(line2[j : j + right - left])
    return found[0], found[1]


@njit(nogil=True, cache=True, error_model="numpy")
def _add_row(row, sums, squares):  # type: ignore[no-untyped-def]
    for x in range(len(row)):
        sums[x] += row[x]
    for x in range(len(row)):
        squares[x] += row[x] * row[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _across(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for x in range(len(values)):
        total += values[x]
    return total
