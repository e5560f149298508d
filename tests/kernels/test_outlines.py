"""Masks of outlines, areas of bands."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage import draw

from mfxarray.kernels.outlines import (
    band_areas,
    ellipse_outline,
    oval_mask,
    polygon_mask,
    rounded_outline,
)

SHAPE = (23, 31)


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_those_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-6, 36, (rng.integers(3, 12), 2))
    wanted = draw.polygon2mask(SHAPE, corners - 0.5)
    np.testing.assert_array_equal(polygon_mask([corners], SHAPE), wanted)
    np.testing.assert_array_equal(polygon_mask([corners[::-1]], SHAPE), wanted)
    np.testing.assert_array_equal(polygon_mask([np.roll(corners, 1, 0)], SHAPE), wanted)


def test_neighbours_with_a_common_side_share_no_pixel_and_leave_none():
    middles = [0.5, 7.5, 16.5, 23.0]
    columns = [0.0, 4.5, 4.5, 20.0, 31.0]
    total = np.zeros(SHAPE, int)
    for top, bottom in pairwise(middles):
        for left, right in pairwise(columns):
            box = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
            total += polygon_mask([box], SHAPE)
    # centres of the first row lie on the upper side: they belong to what is above
    np.testing.assert_array_equal(total[0], 0)
    np.testing.assert_array_equal(total[1:], 1)


@settings(max_examples=60, deadline=None)
@example([(0, 58), (0, 0), (0, 28), (29, 29)])  # a side through a centre, in two parts of the image
@given(st.lists(st.tuples(st.integers(-4, 60), st.integers(-4, 60)), min_size=3, max_size=9))
def test_two_triangles_of_a_fan_tile_the_polygon(places):
    # corners on centres and sides through them: the hard cases
    corners = np.array(places) / 2
    parity = np.zeros(SHAPE, bool)
    for number in range(1, len(corners) - 1):
        parity ^= polygon_mask([corners[[0, number, number + 1]]], SHAPE)
    np.testing.assert_array_equal(parity, polygon_mask([corners], SHAPE))


def test_a_hole():
    outer = np.array([[0, 0], [0, 20], [20, 20], [20, 0]])
    mask = polygon_mask([outer, outer / 2 + 5], SHAPE)
    assert mask.sum() == 400 - 100
    assert not mask[10, 10]


def test_huge_outlines_take_no_long_time():
    rng = np.random.default_rng(0)
    corners = rng.uniform(-1e30, 1e30, (200_000, 2))
    begin = time.perf_counter()
    polygon_mask([corners], (512, 512))
    assert time.perf_counter() - begin < 5


def test_ovals():
    mask = oval_mask((2, 3, 10, 20), SHAPE)
    assert mask.sum() == pytest.approx(np.pi * 5 * 10, rel=0.03)
    np.testing.assert_array_equal(mask[2:12, 3:23], mask[2:12, 3:23][::-1, ::-1])
    assert not oval_mask((2, 3, 0, 20), SHAPE).any()


def area(outline) -> float:
    y, x = outline.T
    return abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2


def test_ellipses():
    outline = ellipse_outline(np.array([5.0, 1.0]), np.array([9.0, 20.0]), 0.5)
    long_axis = np.hypot(4, 19)
    assert area(outline) == pytest.approx(np.pi / 4 * long_axis**2 / 2, rel=2e-5)
    np.testing.assert_allclose(outline.mean(0), [7, 10.5])


def test_rounded_boxes():
    outline = rounded_outline((2.0, 3.0, 10.0, 20.0), 6.0)
    assert area(outline) == pytest.approx(200 - (4 - np.pi) * 9, rel=1e-4)
    np.testing.assert_allclose(outline.min(0), [2, 3])
    np.testing.assert_allclose(outline.max(0), [12, 23])


def shares(quads):
    pixels, starts, areas = band_areas(np.array(quads, np.float64), SHAPE)
    found = np.zeros((len(quads), *SHAPE))
    for number in range(len(quads)):
        part = slice(starts[number], starts[number + 1])
        found[number].flat[pixels[part]] = areas[part]
    return found


def test_areas_of_a_box_along_the_pixels():
    found = shares([[[1.25, 2], [1.25, 4.5], [3, 4.5], [3, 2]]])[0]
    wanted = np.zeros(SHAPE)
    wanted[1, 2:5] = [0.75, 0.75, 0.375]
    wanted[2, 2:5] = [1, 1, 0.5]
    np.testing.assert_allclose(found, wanted, atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 2 * np.pi), st.floats(0.2, 6), st.floats(0.2, 6), st.booleans())
def test_areas_of_turned_boxes(angle, width, height, backwards):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    box = np.array([[0, 0], [0, width], [height, width], [height, 0]])
    quad = (box - box.mean(0)) @ turn + [11.3, 15.7]
    found = shares([quad[::-1] if backwards else quad])[0]
    assert found.sum() == pytest.approx(width * height, rel=1e-9)
    assert found.max() <= 1 + 1e-12
    # against a fine grid of points
    fine = (np.arange(23 * 8) + 0.5) / 8, (np.arange(31 * 8) + 0.5) / 8
    y, x = np.meshgrid(*fine, indexing="ij")
    back = (np.stack([y, x], -1) - [11.3, 15.7]) @ turn.T
    inside = (np.abs(back[..., 0]) < height / 2) & (np.abs(back[..., 1]) < width / 2)
    sampled = inside.reshape(23, 8, 31, 8).mean((1, 3))
    assert np.abs(found - sampled).max() < 0.2


def test_boxes_outside_cover_nothing():
    assert not shares(
        [[[-9, -9], [-9, -2], [-3, -2], [-3, -9]], [[50, 5], [50, 9], [60, 9], [60, 5]]]
    ).any()
