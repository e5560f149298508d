"""Pictures of ratios."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from mfxarray import plot
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.hsi import hsi
from mfxarray.mims.ratios import delta, expression, ratio
from tests.plot.looking import bar, counts, drawn, image, inside, panels


def test_ratio_and_error() -> None:
    result = ratio(accumulate(counts()), "13C", "12C", min_counts=800)
    figure = plot.ratio_images(result, title="a$b$_{")
    value, error = panels(figure)
    np.testing.assert_array_equal(image(value), result["ratio"].values)
    np.testing.assert_array_equal(image(error), result["error"].values)
    assert np.isnan(image(value)).any()
    assert value.get_title() == "13C / 12C"
    assert "grey" in figure.get_supxlabel()
    norm = value.get_images()[0].norm
    ends = np.nanpercentile(result["ratio"].values, (1, 99))
    assert (norm.vmin, norm.vmax) == pytest.approx(tuple(ends))
    assert inside(figure)


def test_that_the_interval_is_not_computed() -> None:
    result = ratio(accumulate(counts()), "13C", "12C")
    result["low"] = result["low"].copy(
        data=result["low"].data.map_blocks(lambda x: 1 // 0, dtype="f8")
    )
    with dask.config.set(scheduler="synchronous"):
        assert len(panels(plot.ratio_images(result, error=False))) == 1


def test_delta_is_white_at_its_standard() -> None:
    result = delta(accumulate(counts()), "13C", "12C", ("VPDB", 1990))
    axes = panels(plot.ratio_images(result))[0]
    norm = axes.get_images()[0].norm
    assert norm.vmin == -norm.vmax
    assert bar(axes).get_ylabel() == "‰"


def test_formula_and_limits() -> None:
    result = expression(accumulate(counts()), "13C / (12C + 13C)")
    axes = panels(plot.ratio_images(result, limits=(0.0, 0.05)))[0]
    norm = axes.get_images()[0].norm
    assert (norm.vmin, norm.vmax) == (0.0, 0.05)
    with pytest.raises(ValueError, match="low to high"):
        plot.ratio_images(result, limits=(1.0, 0.0))


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="accumulate before the ratio"):
        plot.ratio_images(ratio(counts(), "13C", "12C"))
    with pytest.raises(ValueError, match="no image"):
        plot.ratio_images(xr.Dataset({"a": 1.0}))
    with pytest.raises(ValueError, match="an HSI picture has"):
        plot.hsi(ratio(accumulate(counts()), "13C", "12C"))


def test_images_without_any_value() -> None:
    result = ratio(accumulate(counts()), "13C", "12C", min_counts=1e9)
    drawn(plot.ratio_images(result))


@pytest.mark.parametrize("size", [(12, 16), (40, 10), (10, 40)])
def test_hsi_and_its_legend(size: tuple[int, int]) -> None:
    picture = hsi(accumulate(counts(size=size)), "13C", "12C", limits=(0.005, 0.03))
    figure = plot.hsi(picture, title="$x")
    place, legend = panels(figure)
    np.testing.assert_array_equal(image(place), picture["rgb"].values)
    np.testing.assert_array_equal(
        image(legend), picture["legend"].transpose("hue", "brightness", "channel").values
    )
    left, right, bottom, top = legend.get_images()[0].get_extent()
    assert (bottom, top) == pytest.approx((0.005, 0.03))
    assert (left, right) == pytest.approx(tuple(picture["legend_intensity"].values[[0, -1]]))
    assert legend.get_ylabel() == "13C / 12C"
    assert legend.get_xlabel() == "sum of the counts"
    assert inside(figure)
