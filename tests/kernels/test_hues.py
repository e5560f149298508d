"""Colours: equal lightness, order of hues, black where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.hues import INTENSITIES, hsi_image, intensity_of, palette

PLACES = np.linspace(0, 1, 101)


def luminance(linear):
    return linear @ [0.2126, 0.7152, 0.0722]


def test_hues_of_the_default_look_equally_light():
    light = luminance(palette(PLACES))
    rainbow = luminance(palette(PLACES, "rainbow"))
    assert light.max() / light.min() < 1.25
    assert rainbow.max() / rainbow.min() > 10
    # nothing was clipped on the way to sRGB
    assert palette(PLACES).min() > 0
    assert palette(PLACES).max() < 1


def test_from_blue_to_red():
    colours = hsi_image(np.array([0, 0.25, 0.5, 0.75, 1]), np.ones(5), "rainbow")
    wanted = [[0, 0, 255], [0, 255, 255], [0, 255, 0], [255, 255, 0], [255, 0, 0]]
    np.testing.assert_array_equal(colours, wanted)
    uniform = hsi_image(PLACES, np.ones(101)).astype(int)
    assert uniform[0].argmax() == 2
    assert uniform[50].argmax() == 1
    assert uniform[-1].argmax() == 0


def test_brightness_is_proportional_to_lightness():
    grey = luminance(palette(np.array(0.5)))
    half = hsi_image(np.array(0.5), np.array(0.5)) / 255
    linear = np.where(half <= 0.04045, half / 12.92, ((half + 0.055) / 1.055) ** 2.4)
    assert luminance(linear) ** (1 / 3) == pytest.approx(0.5 * grey ** (1 / 3), rel=0.02)


def test_black_where_nothing_is_known():
    place, intensity = np.array([np.nan, 0.5, 0.5, np.inf]), np.array([1, np.nan, 0, 1.0])
    np.testing.assert_array_equal(hsi_image(place, intensity), np.zeros((4, 3)))


def test_beyond_the_ends_colours_stay():
    np.testing.assert_array_equal(
        hsi_image(np.array([-3.0, 7]), np.array([2.0, 9])),
        hsi_image(np.array([0.0, 1]), np.ones(2)),
    )


def test_intensities():
    above, below = np.array([3.0]), np.array([4.0])
    wanted = [3, 4, 4, 3, 3.5, 7, np.sqrt(12.5)]
    found = [intensity_of(above, below, name)[0] for name in INTENSITIES]
    assert found == pytest.approx(wanted)
