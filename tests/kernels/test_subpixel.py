"""The top of a peak between pixels."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.subpixel import peak_offset

Y, X = np.mgrid[-1:2, -1:2]


@pytest.mark.parametrize("top", [(0.0, 0.0), (0.3, -0.2), (-0.45, 0.5), (0.1, 0.4)])
@pytest.mark.parametrize("twist", [-0.05, 0.0, 0.1])
def test_a_gaussian_of_any_direction_is_exact(top, twist):
    dy, dx = Y - top[0], X - top[1]
    peak = np.exp(-0.2 * dy**2 - 0.3 * dx**2 + twist * dy * dx)
    assert peak_offset(peak) == pytest.approx(top, abs=1e-12)


def test_a_quadric_with_values_below_zero_is_exact():
    peak = -1.0 - 0.2 * (Y - 0.3) ** 2 - 0.4 * (X + 0.2) ** 2
    assert peak_offset(peak) == pytest.approx((0.3, -0.2), abs=1e-12)


def test_at_the_edge_of_what_is_known_each_axis_stands_alone():
    peak = 1 - 0.2 * (Y - 0.25) ** 2 - 0.3 * (X - 0.1) ** 2
    peak[:, 2] = -np.inf
    assert peak_offset(peak) == pytest.approx((0.25, 0.0), abs=1e-12)


@pytest.mark.parametrize("scores", [np.zeros((3, 3)), np.ones((3, 3)), 1.0 + Y + 2.0, Y * X + 2.0])
def test_what_is_no_peak_has_no_top(scores):
    assert peak_offset(scores) == (0.0, 0.0)


def test_never_more_than_half_a_pixel():
    rng = np.random.default_rng(0)
    found = np.array([peak_offset(rng.normal(size=(3, 3))) for _ in range(500)])
    assert np.abs(found).max() <= 0.5
