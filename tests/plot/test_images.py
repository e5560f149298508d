"""Pictures of ion images."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray import plot
from mfxarray.mims.counted import with_variance
from tests.plot.looking import DETECTORS, bar, counts, image, inside, panels


def test_every_detector_summed_over_frames() -> None:
    data = counts()
    figure = plot.ion_images(data, title="a$b$_{.im")
    shown = panels(figure)
    for axes, wanted in zip(shown, data.values.sum(axis=0), strict=True):
        np.testing.assert_array_equal(image(axes), wanted)
        assert axes.texts[0].get_text() == "2 µm"
    assert shown[0].get_title() == "12C  (12.000 u)"
    assert bar(shown[0]).get_ylabel() == "counts"
    # electrons are not counted
    assert bar(shown[3]).get_ylabel() == "signal"
    assert "sum of 4 frames" in figure.get_suptitle()
    assert inside(figure)


def test_axes_are_named_at_the_rim_only() -> None:
    figure = plot.ion_images(counts(), columns=3)
    labels = [(axes.get_ylabel(), axes.get_xlabel()) for axes in panels(figure)]
    assert labels == [("y / µm", ""), ("", "x / µm"), ("", "x / µm"), ("y / µm", "x / µm")]


@pytest.mark.parametrize(
    ("frames", "wanted", "said"),
    [(11, [1], "frame 11"), ("11-12", [1, 2], "sum of 2 frames"), ([10, 13], [0, 3], "2 frames")],
)
def test_chosen_frames_and_detectors(frames: object, wanted: list[int], said: str) -> None:
    data = counts()
    figure = plot.ion_images(data, detectors=["SE", "12C"], frames=frames)
    first, second = panels(figure)
    np.testing.assert_array_equal(image(first), data.values[wanted, 3].sum(axis=0))
    np.testing.assert_array_equal(image(second), data.values[wanted, 0].sum(axis=0))
    assert said in figure.get_suptitle()


def test_that_only_what_is_shown_is_computed() -> None:
    made: list[tuple[int, ...]] = []

    def block(block_info: dict) -> np.ndarray:
        made.append(block_info[None]["chunk-location"])
        return np.ones((2, 1, 12, 16), "u4")

    values = da.map_blocks(
        block, chunks=((2, 2), (1,) * 4, (12,), (16,)), dtype="u4", meta=np.empty((0,) * 4, "u4")
    )
    mask = da.map_blocks(lambda x: 1 // 0, values, dtype=bool)
    data = counts().copy(data=values).assign_coords(hot=(("frame", "detector", "y", "x"), mask))
    with dask.config.set(scheduler="synchronous"):
        plot.ion_images(data, detectors="13C", frames=12)
    assert made == [(1, 1, 0, 0)]


def test_corrected_counts() -> None:
    data = counts()
    both = with_variance(data.astype("f8") * 1.5, data.astype("f8"))
    shown = panels(plot.ion_images(both, detectors="12C"))
    np.testing.assert_allclose(image(shown[0]), 1.5 * data.values[:, 0].sum(axis=0))


def test_missing_pixels_are_neither_zero_nor_lost() -> None:
    data = counts().astype("f8")
    data[1, 0, 2, 3] = np.nan
    axes = panels(plot.ion_images(data))[0]
    shown = axes.get_images()[0]
    assert np.isnan(np.asarray(shown.get_array().data)[2, 3]) or shown.get_array().mask[2, 3]
    assert shown.get_cmap()(np.nan) != shown.get_cmap()(0.0)


def test_colours_end_at_percentiles() -> None:
    data = counts().sum("frame")
    data[0, 5, 5] = 10**7
    axes = panels(plot.ion_images(data, percentiles=(2, 98)))[0]
    norm = axes.get_images()[0].norm
    assert (norm.vmin, norm.vmax) == pytest.approx(tuple(np.percentile(data[0], (2, 98))))
    log = panels(plot.ion_images(data, log=True))[0].get_images()[0].norm
    assert log.vmin >= 1


def test_data_without_coordinates() -> None:
    data = xr.DataArray(np.zeros((2, 3, 4), "u2"), dims=("detector", "y", "x"))
    figure = plot.ion_images(data)
    assert [axes.get_title() for axes in panels(figure)] == ["detector 0", "detector 1"]
    assert panels(figure)[0].get_xlabel() == "x / pixel"


@pytest.mark.parametrize("size", [(300, 10), (10, 300), (12, 12)])
def test_that_nothing_is_cut_off(size: tuple[int, int]) -> None:
    assert inside(plot.ion_images(counts(2, size)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"detectors": "99X"}, "no detector"),
        ({"frames": 3}, "no frame 3"),
        ({"percentiles": (9, 1)}, "percentiles rise"),
        ({"columns": 0}, "columns"),
    ],
)
def test_wrong_parameters(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plot.ion_images(counts(), **options)


def test_what_is_no_stack() -> None:
    with pytest.raises(ValueError, match="needs the dimensions"):
        plot.ion_images(counts().isel(detector=0))
    with pytest.raises(ValueError, match="no frames to choose"):
        plot.ion_images(counts().sum("frame"), frames=1)
    with pytest.raises(ValueError, match="no pixel"):
        plot.ion_images(counts().isel(y=slice(0, 0)))
    assert len(DETECTORS) == 4
