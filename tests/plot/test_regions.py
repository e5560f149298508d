"""Pictures of regions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray import plot
from mfxarray.mims.regions import regions_from_labels, regions_from_polygons
from tests.plot.looking import counts, image, inside, panels


def sides(axes: object, number: int) -> set[tuple[tuple[float, float], ...]]:
    lines = axes.collections[number].get_segments()  # type: ignore[attr-defined]
    return {tuple(sorted((float(x), float(y)) for x, y in line)) for line in lines}


def test_outline_of_one_pixel() -> None:
    data = counts()
    labels = np.zeros((12, 16), int)
    labels[3, 5] = 1
    figure = plot.regions(data, regions_from_labels(labels, data, names={1: "$a"}), "12C")
    (axes,) = panels(figure)
    # pixels of 0.5 µm: from 2.5 to 3 µm across, from 1.5 to 2 µm down
    assert sides(axes, 0) == {
        ((2.5, 1.5), (3.0, 1.5)),
        ((2.5, 2.0), (3.0, 2.0)),
        ((2.5, 1.5), (2.5, 2.0)),
        ((3.0, 1.5), (3.0, 2.0)),
    }
    (text,) = [text for text in axes.texts if "µm" not in text.get_text()]
    assert text.get_position() == pytest.approx((2.75, 1.75))
    np.testing.assert_array_equal(image(axes), data.values[:, 0].sum(axis=0))
    assert inside(figure)


def test_outline_follows_the_pixels_at_the_rim_and_in_holes() -> None:
    data = counts()
    labels = np.zeros((12, 16), int)
    labels[:3, :3] = 4
    labels[1, 1] = 0
    (axes,) = panels(plot.regions(data, regions_from_labels(labels, data), "12C", names=False))
    assert len(sides(axes, 0)) == 12 + 4
    assert len(axes.texts) == 1


def test_masks_that_overlap() -> None:
    data = counts()
    one, two = [(1, 1), (1, 9), (8, 9), (8, 1)], [(4, 4), (4, 14), (11, 14), (11, 4)]
    masks = regions_from_polygons({"one": one, "two": two}, data, form="masks")
    (axes,) = panels(plot.regions(data, masks, "12C", frames=11))
    assert len(axes.collections) == 2
    assert len(sides(axes, 1)) == 2 * (10 + 7)
    np.testing.assert_array_equal(image(axes), data.values[1, 0])


def test_regions_without_pixels_have_no_outline() -> None:
    data = counts()
    labels = np.zeros((12, 16), int)
    labels[3, 5] = 1
    given = regions_from_labels(labels, data, names={1: "a", 2: "empty"})
    (axes,) = panels(plot.regions(data, given, "12C"))
    assert len(axes.collections) == 1


def test_what_does_not_fit() -> None:
    data = counts()
    with pytest.raises(ValueError, match="regions are for images"):
        plot.regions(data, xr.DataArray(np.ones((3, 3), int), dims=("y", "x")), "12C")
    labels = regions_from_labels(np.ones((12, 16), int), data)
    with pytest.raises(ValueError, match="no detector"):
        plot.regions(data, labels, "99X")
