"""Pictures: what is in them, and that they are written whole."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray import plot
from mfxarray.errors import DataError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "run.npy"
    mfx.simulate_minflux(path, localizations=2000, seed=2)
    return mfx.open_minflux(path, chunk_bytes=1_000_000)


@pytest.fixture(scope="module")
def ions(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "stack.im"
    mfx.simulate_mims(path, frames=6, size=(48, 64), seed=2)
    return mfx.open_mims(path)


def _pictures(figure):
    return [axes for axes in figure.axes if axes.get_images()]


def _labels(figure):
    every = [*figure.axes, *(child for axes in figure.axes for child in axes.child_axes)]
    return {text for axes in every for text in (axes.get_xlabel(), axes.get_ylabel())}


def _last_positions(run):
    position = run["position"].isel(iteration=-1).values[run["vld"].values]
    return position[~np.isnan(position).any(axis=1)]


def test_that_every_localization_is_in_the_picture(run):
    good = run.mfx.filter()
    figure = plot.localizations(good, title="run")
    whole = _pictures(figure)[0]
    points = _last_positions(run)
    shown = np.asarray(whole.get_images()[0].get_array())
    assert shown.sum() == len(points)
    assert whole.get_title() == f"run: {len(points) // 1000} {len(points) % 1000:03d} localizations"
    left, right, bottom, top = whole.get_images()[0].get_extent()
    x, y = points[:, 0] * 1e6, points[:, 1] * 1e6
    assert left <= x.min() < x.max() <= right
    assert bottom <= y.min() < y.max() <= top
    assert {"x / µm", "y / µm", "x / nm", "y / nm"} <= _labels(figure)
    assert any("pixel of" in label for label in _labels(figure))


def test_that_the_picture_is_numpys_histogram(run):
    limits = ((1e-6, 2e-6), (2e-6, 4e-6))
    axes = {"axes": ("x", "z"), "limits_m": (limits[0], (-1e-7, 1e-7)), "pixel_m": 2e-8}
    figure = plot.localizations(run.mfx.filter(), **axes)
    points = _last_positions(run)[:, [0, 2]]
    wanted, _, _ = np.histogram2d(*points.T, bins=(50, 10), range=axes["limits_m"])
    shown = np.asarray(_pictures(figure)[0].get_images()[0].get_array())
    # a point on the border of a pixel may fall to either side
    assert abs(shown - wanted.T).sum() <= 2
    assert shown.shape == (10, 50)


def test_that_chunks_do_not_matter(run):
    one, other = (
        plot.localizations(data.mfx.filter()) for data in (run, run.chunk(localization=97))
    )
    for a, b in zip(_pictures(one), _pictures(other), strict=True):
        np.testing.assert_array_equal(a.get_images()[0].get_array(), b.get_images()[0].get_array())


def test_that_masked_localizations_are_left_out(run):
    few = run.mfx.filter(efo=(13_000, 30_000))
    whole = _pictures(plot.localizations(few))[0]
    assert np.asarray(whole.get_images()[0].get_array()).sum() == int(few["selected"].sum())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"axes": ("x", "q")}, "two of x, y, z"),
        ({"axes": ("x",)}, "two of x, y, z"),
        ({"pixel_m": 0.0}, "larger than 0"),
        ({"pixel_m": 1e-12}, "too many"),
        ({"limits_m": ((1.0, 1.0), (0.0, 1.0))}, "low < high"),
    ],
)
def test_that_wrong_parameters_are_refused(run, options, said: str):
    with pytest.raises(ValueError, match=said):
        plot.localizations(run, **options)


def test_that_an_empty_selection_is_refused(run):
    with pytest.raises(ValueError, match="no localization is left"):
        plot.localizations(run.mfx.filter(efo=(1e9, None)))


def test_that_one_localization_can_be_drawn(run):
    figure = plot.localizations(run.isel(localization=slice(0, 1)))
    assert np.asarray(_pictures(figure)[0].get_images()[0].get_array()).sum() == 1


def test_traces(run):
    table = run.mfx.filter().mfx.traces()
    figure = plot.traces(table, title="run")
    n, spread, duration = figure.axes
    assert sum(patch.get_data().values.sum() for patch in n.patches) == table.sizes["trace"]
    single = int((table["n"] == 1).sum())
    for patch in spread.patches:
        assert patch.get_data().values.sum() == table.sizes["trace"] - single
    texts = [text.get_text() for text in spread.get_legend().get_texts()]
    medians = np.nanmedian(table["spread"].values, axis=0) * 1e9
    shown = [float(text.split()[2]) for text in texts]
    np.testing.assert_allclose(shown, medians, atol=0.16)
    assert "nm" in spread.get_xlabel()
    assert duration.get_xscale() == "log"


def test_traces_of_one_localization_each(run):
    table = run.mfx.filter().mfx.traces().compute()
    plot.traces(table.isel(trace=table["n"].values == 1))


def test_ion_images(ions):
    figure = plot.ion_images(ions, title="stack")
    panels = _pictures(figure)
    assert len(panels) == 7
    total = ions.values.sum(axis=0, dtype=np.int64)
    for panel, image in zip(panels, total, strict=True):
        np.testing.assert_array_equal(panel.get_images()[0].get_array(), image)
        left, right, bottom, top = panel.get_images()[0].get_extent()
        assert (left, top) == pytest.approx((0, 0))
        assert right == pytest.approx(20)
        assert bottom == pytest.approx(20 * 48 / 64)
    assert panels[2].get_title() == "12C 14N  (26.003 u)"
    assert {"x / µm", "y / µm", "counts"} <= _labels(figure)


def test_that_exposure_is_shown_where_it_varies(ions):
    shifts = xr.DataArray(
        np.array([[0, 0], [1, 0], [0, 2], [0, 0], [0, 0], [0, 0]]), dims=("frame", "axis")
    )
    aligned = ions.mims.apply_translations(shifts)
    figure = plot.ion_images(aligned.sum("frame"), log=True)
    panels = _pictures(figure)
    assert panels[-1].get_title() == "exposure"
    np.testing.assert_array_equal(
        panels[-1].get_images()[0].get_array(), aligned["exposure"].values
    )
    assert "frames" in _labels(figure)


def test_drift():
    shifts = xr.DataArray(
        np.array([[0, 0], [1, -2], [3, 4]]),
        {"confident": ("frame", [True, False, True])},
        ("frame", "axis"),
    )
    figure = plot.drift(shifts, truth=np.array([[0, 0], [1, -2], [3, 5]]))
    course = figure.axes[0]
    lines = {line.get_label(): line.get_ydata() for line in course.get_lines()}
    np.testing.assert_array_equal(lines["dy"], [0, 1, 3])
    np.testing.assert_array_equal(lines["dx"], [0, -2, 4])
    np.testing.assert_array_equal(lines["true"], [0, 1, 3, 0, -2, 5])
    np.testing.assert_array_equal(lines["not confident"], [1, -2])


def test_hot_pixels(ions):
    before = ions.isel(frame=0, detector=2).compute()
    mask = xr.zeros_like(before, dtype=bool)
    mask[3, 5] = True
    figure = plot.hot_pixels(before, before.where(~mask, 0), mask)
    assert "1 pixel replaced" in figure.get_suptitle()
    offsets = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(offsets, [[before["x"][5], before["y"][3]]])


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.svg", "a.pdf"])
def test_that_the_same_picture_is_the_same_file(tmp_path, name: str):
    shifts = xr.DataArray(np.zeros((3, 2), int), dims=("frame", "axis"))
    written = []
    for _ in range(2):
        plot.save(plot.drift(shifts), tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name.lower().endswith("png"):
        assert written[0] == written[1]


def test_that_saving_says_what_is_wrong(tmp_path):
    figure = plot.drift(xr.DataArray(np.zeros((3, 2), int), dims=("frame", "axis")))
    with pytest.raises(DataError, match="folder does not exist"):
        plot.save(figure, tmp_path / "nowhere" / "a.png")
    with pytest.raises(DataError, match="no picture format"):
        plot.save(figure, tmp_path / "a.docx")
    assert list(tmp_path.iterdir()) == []


def test_that_no_more_than_blocks_are_in_memory(run):
    sizes: list[int] = []

    class Watch(dask.callbacks.Callback):
        def _posttask(self, key, result, dsk, state, worker_id):
            sizes.append(getattr(result, "nbytes", 0))

    limits = ((0.0, 5e-6), (0.0, 5e-6))
    with Watch():
        plot.localizations(run, limits_m=limits, pixel_m=1e-7)
    points = run.sizes["localization"]
    # fusing leaves blocks of records, and histograms; no task holds all positions
    assert 0 < max(sizes) < points * run.nbytes / points / 2
