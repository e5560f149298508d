"""Composite shapes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.imagej.paths import shape_outlines


def outlines(numbers):
    return shape_outlines(np.array(numbers, np.float64))


def area(outline) -> float:
    y, x = outline.T
    return abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2


def test_lines_and_two_parts():
    found = outlines([0, 0, 0, 1, 4, 0, 1, 4, 3, 4, 0, 9, 9, 1, 10, 9, 1, 10, 10])
    assert [area(part) for part in found] == [6.0, 0.5]
    np.testing.assert_array_equal(found[0], [[0, 0], [0, 4], [3, 4]])


def test_a_circle_of_four_cubic_curves():
    k = 4 / 3 * (np.sqrt(2) - 1) * 100
    r = 100
    quarters = [
        *(3, r, k, k, r, 0, r),
        *(3, -k, r, -r, k, -r, 0),
        *(3, -r, -k, -k, -r, 0, -r),
        *(3, k, -r, r, -k, r, 0),
    ]
    (circle,) = outlines([0, r, 0, *quarters, 4])
    radius = np.hypot(*circle.T)
    assert np.abs(radius - 100).max() < 0.03
    assert area(circle) == pytest.approx(np.pi * 100**2, rel=1e-3)


def test_a_parabola_of_one_quadratic_curve():
    (found,) = outlines([0, 0, 0, 2, 5, 10, 10, 0, 4])
    # y = 2 t (1 - t) 10, x = 10 t
    np.testing.assert_allclose(found[:, 0], 2 * (found[:, 1] / 10) * (1 - found[:, 1] / 10) * 10)


def test_less_than_a_triangle_is_nothing():
    assert outlines([0, 1, 1, 1, 2, 2, 4]) == ()
    assert outlines([]) == ()


@pytest.mark.parametrize("numbers", [[5, 1, 1], [0, 1], [0.5, 1, 1], [-1], [np.nan], [3, 1, 1, 1]])
def test_what_is_refused(numbers):
    with pytest.raises(DataError):
        outlines(numbers)


def test_too_many_curves_are_refused_in_time():
    begin = time.perf_counter()
    with pytest.raises(DataError, match="curves"):
        outlines([0, 0, 0] + [2, 1, 1, 2, 2] * 200_000)
    assert time.perf_counter() - begin < 5
