"""Pictures of profiles."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from mfxarray import plot
from mfxarray.mims.profiles import depth_profile, line_profile
from mfxarray.mims.regions import regions_from_polygons
from tests.plot.looking import counts, drawn, inside


def squares(data: xr.DataArray) -> xr.DataArray:
    one, two = [(1, 1), (1, 6), (6, 6), (6, 1)], [(6, 8), (6, 15), (11, 15), (11, 8)]
    return regions_from_polygons({"one": one, "b$_{": two}, data)


def bars(axes: object) -> list[np.ndarray]:
    """Return the segments of the error bars of every line."""
    return [np.array(found[2][0].get_segments()) for found in axes.containers]  # type: ignore


def test_counts_with_errors() -> None:
    table = depth_profile(counts()).compute()
    figure = plot.profile(table, detectors=["12C", "13C"], title="$")
    (axes,) = figure.axes
    for line, segments, name in zip(axes.containers, bars(axes), ("12C", "13C"), strict=True):
        wanted = table.sel(detector=name)
        np.testing.assert_allclose(line[0].get_ydata(), wanted["counts"])
        np.testing.assert_allclose(np.ptp(segments[..., 1], axis=1), 2 * wanted["error"])
        np.testing.assert_allclose(line[0].get_xdata(), [10, 11, 12, 13], atol=0.1)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["12C", "13C"]
    assert axes.get_title(loc="right") == "bars: ± 1 standard error"
    assert axes.get_xlabel() == "frame"
    assert inside(figure)


def test_ratios_with_their_interval() -> None:
    data = counts()
    table = depth_profile(data, squares(data), ratios={"C13": ("13C", "12C")})
    figure = plot.profile(table, ["C13", "counts"], log=True)
    axes, below = figure.axes
    found = table.compute()
    for number, segments in enumerate(bars(axes)):
        region = found.isel(region=number)
        np.testing.assert_allclose(segments[:, 0, 1], region["C13_low"])
        np.testing.assert_allclose(segments[:, 1, 1], region["C13_high"])
    assert axes.get_title(loc="right") == "bars: 95 % interval"
    assert (axes.get_yscale(), below.get_yscale()) == ("linear", "log")
    assert len(below.containers) == 8
    assert inside(figure)


def test_many_points_have_a_band() -> None:
    data = counts(3, (12, 90)).sum("frame").assign_attrs(counts().attrs)
    table = line_profile(data, (6, 1), (6, 89), width=4, ratios={"C13": ("13C", "12C")})
    (axes,) = drawn(plot.profile(table, "C13")).axes
    assert not axes.containers
    (band,) = axes.collections
    found = table.compute()
    ys = band.get_paths()[0].vertices[:, 1]
    assert ys.max() == pytest.approx(float(found["C13_high"].max()))
    assert axes.get_title(loc="right") == "band: 95 % interval"
    assert axes.get_xlabel() == "distance from the start of the line / pixel"


def test_unknown_errors_have_no_bar() -> None:
    table = depth_profile(counts()).compute()
    (axes,) = drawn(plot.profile(table, detectors="SE")).axes
    np.testing.assert_allclose(np.ptp(bars(axes)[0][..., 1], axis=1), 0)


def test_that_only_what_is_shown_is_computed() -> None:
    table = depth_profile(counts(), ratios={"C13": ("13C", "12C")})
    table["C13"] = table["C13"].copy(
        data=table["C13"].data.map_blocks(lambda x: 1 // 0, dtype="f8")
    )
    with dask.config.set(scheduler="synchronous"):
        plot.profile(table)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "ratio"}, "no variable"),
        ({"name": []}, "no variable"),
        ({"detectors": "99X"}, "no detector"),
    ],
)
def test_wrong_parameters(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plot.profile(depth_profile(counts()), **options)


def test_what_is_no_profile() -> None:
    with pytest.raises(ValueError, match="runs along"):
        plot.profile(xr.Dataset({"counts": ("region", [1])}))
    data = counts()
    image = np.arange(12 * 16).reshape(12, 16) // 8
    labels = xr.DataArray(image, dims=("y", "x"))
    with pytest.raises(ValueError, match="too many for a picture"):
        plot.profile(depth_profile(data, labels))
