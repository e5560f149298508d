"""Colour images of ratios: right colours at known ratios, legend, limits, laziness."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.kernels.hues import INTENSITIES, hsi_image
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.corrections import correct
from mfxarray.mims.hsi import hsi
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.mims.counted_samples import counts_like, ion_stack
from tests.samples import four_chunkings

PAIR = ("12C 15N", "12C 14N")


def ramp():
    """Return one row of pixels: 100 to 0 counts of 12C 15N, 100 of 12C 14N, twice as many below."""
    above = np.linspace(100, 0, 5).astype(np.uint32)
    values = np.stack([np.stack([above, 2 * above]), np.full((2, 5), [[100], [200]])])
    return counts_like(values[None].astype(np.uint32), list(PAIR)).isel(frame=0, drop=True)


def test_colours_of_known_ratios():
    found = hsi(ramp(), *PAIR, limits=(0, 1), intensity="denominator", intensity_limits=(0, 200))
    place = np.broadcast_to(np.linspace(1, 0, 5), (2, 5))
    wanted = hsi_image(place, np.array([[0.5], [1.0]]) * np.ones((2, 5)))
    np.testing.assert_array_equal(found["rgb"], wanted)
    assert found["rgb"].dtype == np.uint8
    assert found["rgb"].dims == ("y", "x", "channel")


def test_the_legend_has_the_same_colours():
    found = hsi(
        ramp(),
        *PAIR,
        limits=(0, 1),
        intensity="denominator",
        intensity_limits=(0, 200),
        palette="rainbow",
    )
    np.testing.assert_allclose(found["legend_ratio"], np.linspace(0, 1, 256))
    np.testing.assert_allclose(found["legend_intensity"], np.linspace(0, 200, 256))
    np.testing.assert_array_equal(found["legend"][-1, -1], found["rgb"][1, 0])
    np.testing.assert_array_equal(found["legend"][0, -1], found["rgb"][1, -1])


def test_limits_from_the_image():
    total = accumulate(ion_stack())
    with raise_if_computes():
        found = hsi(total, *PAIR, intensity_limits=(None, None))
    values = total.values.astype(float)
    ratio, bright = values[3] / values[2], values[2] + values[3]
    for name, image in (("legend_ratio", ratio), ("legend_intensity", bright)):
        np.testing.assert_allclose(found[name][[0, -1]], np.percentile(image, [1, 99]))


def test_few_counts_are_black():
    found = hsi(ramp(), *PAIR, min_counts=250)["rgb"].values
    np.testing.assert_array_equal(found[0], 0)
    assert found[1, 0].any()


@pytest.mark.parametrize("intensity", INTENSITIES)
def test_intensities_and_corrected_counts(intensity):
    total = accumulate(correct(ion_stack(), yields=50))
    found = hsi(total, *PAIR, intensity=intensity)
    assert found["rgb"].values.any()
    assert history(found.attrs)[-1]["parameters"]["intensity"] == intensity


def test_an_even_image_has_a_colour():
    flat = counts_like(np.full((1, 2, 3, 3), 100, np.uint32), list(PAIR)).isel(frame=0)
    assert (hsi(flat, *PAIR)["rgb"].values.max(axis=-1) > 0).all()


def test_every_chunking_gives_the_same():
    stacks = [accumulate(stack) for stack in four_chunkings(ion_stack(), "frame")]
    stacks.append(accumulate(ion_stack().chunk({"detector": 2, "y": 5, "x": 3})))
    assert_chunk_invariant(lambda data: hsi(data, *PAIR), stacks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intensity": "hue"}, "intensity must be one of"),
        ({"palette": "jet"}, "palette must be one of"),
        ({"limits": (2, 1)}, "from low to high"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        hsi(accumulate(ion_stack()), *PAIR, **options)


def test_frames_are_refused():
    with pytest.raises(ValueError, match="accumulate"):
        hsi(ion_stack(), *PAIR)
