"""Rendering of localizations: numpy's counts to the unit, laziness, colours, files."""

from __future__ import annotations

import json
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from scipy.stats import norm

import mfxarray as mfx
from mfxarray.minflux.rendering.render import pixel_edges, render
from mfxarray.minflux.rows import used_rows
from mfxarray.provenance import history
from mfxarray.stores.ome_zarr import write_ome_zarr
from mfxarray.stores.tiff import write_tiff
from mfxarray.testing import raise_if_computes
from tests.samples import four_chunkings, localization_file

LIMITS = [(1e-6, 4e-6), (1e-6, 3e-6)]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> xr.Dataset:
    ds = mfx.open_minflux(localization_file(tmp_path_factory.mktemp("files")), chunk_bytes=400_000)
    n = ds.sizes["localization"]
    wash = da.from_array((np.arange(n) * 3 // n).astype("i4"), chunks=500)
    return ds.assign_coords(wash=("localization", wash))


@pytest.fixture(scope="module")
def points(run) -> np.ndarray:
    return run.mfx.last_iteration()["position"].values[used_rows(run).compute()]


def numpys(image: xr.DataArray, points: np.ndarray, **more) -> np.ndarray:
    names = [name for name in image.dims if name in "xyz"]
    sample = points[:, ["xyz".index(name) for name in names]]
    return np.histogramdd(sample, bins=[pixel_edges(image, name) for name in names], **more)[0]


def test_counts_are_numpys(run, points) -> None:
    image = render(run, pixel=7e-9)
    assert image.dims == ("y", "x")
    assert image.dtype == np.uint32
    np.testing.assert_array_equal(image.values, numpys(image, points))
    assert int(image.sum()) == len(points)
    for name, column in (("x", 0), ("y", 1)):
        edges, places = pixel_edges(image, name), image[name].values
        assert edges[0] <= points[:, column].min() < edges[1]
        assert edges[-2] <= points[:, column].max() <= edges[-1]
        np.testing.assert_allclose(edges / 7e-9, np.rint(edges / 7e-9), atol=1e-6)
        np.testing.assert_allclose(places, (edges[1:] + edges[:-1]) / 2, atol=1e-18)
        assert image[name].attrs["units"] == "m"
    assert image.attrs["units"] == "1"


def test_within_limits_and_in_space(run, points) -> None:
    image = render(run, pixel=5e-9, limits=LIMITS)
    assert image.shape == (400, 600)
    wanted = numpys(image, points)
    assert 0 < wanted.sum() < len(points)
    np.testing.assert_array_equal(image.values, wanted)
    # numpy's own edges, which may be another in the last bit
    own = np.histogram2d(points[:, 1], points[:, 0], bins=(400, 600), range=LIMITS[::-1])[0]
    assert np.abs(image.values - own).sum() <= 2
    odd = render(run, pixel=7e-9, limits=[(0.0, 1e-6), (0.0, 2.1e-6)])
    assert odd.shape == (300, 143)
    solid = render(run, pixel=(2e-8, 3e-8, 4e-8), axes=("x", "y", "z"))
    assert solid.dims == ("z", "y", "x")
    assert [solid[name].attrs["pixel"] for name in "xyz"] == [2e-8, 3e-8, 4e-8]
    np.testing.assert_array_equal(solid.values, numpys(solid, points))
    side = render(run, pixel=2e-8, axes=("x", "z"))
    assert side.dims == ("z", "x")
    np.testing.assert_array_equal(side.values, numpys(side, points))


def test_that_the_last_edge_belongs_to_the_image() -> None:
    ds = table([[0.0, 0.0, 0.0], [1e-8, 1e-8, 0.0], [1e-8, 5e-9, 0.0], [-1e-20, 0.0, 0.0]])
    image = render(ds, pixel=5e-9, limits=[(0.0, 1e-8), (0.0, 1e-8)])
    np.testing.assert_array_equal(image.values, [[1, 0], [0, 2]])


def table(position, **variables) -> xr.Dataset:
    rows = len(position)
    data = {"position": (("localization", "axis"), np.array(position, float))}
    data |= {name: ("localization", np.asarray(values)) for name, values in variables.items()}
    coords = {"axis": ["x", "y", "z"], "tid": ("localization", np.arange(rows))}
    return xr.Dataset(data, coords)


def test_that_masked_and_unknown_ones_are_left_out(run) -> None:
    few = run.mfx.filter(efo=(20_000, 40_000))
    image = render(few, pixel=1e-8)
    assert 0 < int(image.sum()) == int((used_rows(few)).sum().compute())
    ds = table([[0.0, 0.0, 0.0], [np.nan] * 3, [1e-9, 0.0, 0.0]], selected=[True, True, False])
    assert int(render(ds).sum()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axes": ("x", "y", "z")},
        {"kind": "gaussian", "sigma": 9e-9},
        {"color": "wash"},
        {"color": "depth", "weights": "eco"},
        {"color": "time", "kind": "gaussian", "sigma": (4e-9, 9e-9)},
        {"traces": True, "kind": "precision"},
    ],
    ids=str,
)
def test_bits_of_every_chunking_and_scheduler(run, options) -> None:
    found = []
    for number, data in enumerate(four_chunkings(run, "localization")):
        image = render(data, pixel=2e-8, **options)
        for scheduler in ("synchronous", "threads")[: 2 - number % 2]:
            with dask.config.set(scheduler=scheduler):
                loaded = image.compute()
            found.append([loaded.values.tobytes(), *(c.values.tobytes() for c in color(loaded))])
    assert all(one == found[0] for one in found)


def color(image: xr.DataArray) -> list[xr.DataArray]:
    return [image.coords["color"]] if "color" in image.coords else []


def test_that_it_is_lazy(run) -> None:
    with raise_if_computes():
        image = render(run, pixel=5e-9, limits=LIMITS, kind="gaussian", sigma=4e-9)
        waves = render(run, limits=LIMITS, color="wash", channels=[0, 2], weights="eco")
        deep = render(run, limits=LIMITS, color="depth")
    assert isinstance(image.data, da.Array)
    assert isinstance(deep["color"].data, da.Array)
    assert waves.shape == (2, 2000, 3000)


def test_gaussians_are_scipys(run, points) -> None:
    image = render(run, pixel=2e-8, kind="gaussian", sigma=1.5e-8)
    assert image.dtype == np.float64
    wanted = np.zeros(image.shape)
    edges = {name: pixel_edges(image, name) for name in "xy"}
    for x, y, _ in points:
        parts = [np.diff(norm.cdf(edges[n], at, 1.5e-8)) for n, at in (("y", y), ("x", x))]
        wanted += np.multiply.outer(*parts)
    np.testing.assert_allclose(image.values, wanted, atol=1e-6)
    # the image that is made without limits holds all of them
    assert float(image.sum()) == pytest.approx(len(points), rel=1e-8)


def test_that_a_part_is_the_same_as_of_the_whole(run) -> None:
    whole = render(run, pixel=1e-8, kind="gaussian", sigma=2e-8)
    x, y = (pixel_edges(whole, name)[[40, 90]] for name in "xy")
    part = render(run, pixel=1e-8, kind="gaussian", sigma=2e-8, limits=[x, y])
    np.testing.assert_allclose(part.values, whole[40:90, 40:90].values, atol=1e-9)


def test_precision_of_each() -> None:
    sigma = np.array([2e-9, 4e-9, np.nan, 0.0])
    ds = table([[0, 0, 0], [1e-7, 0, 0], [2e-7, 0, 0], [3e-7, 0, 0]], uncertainty=sigma)
    image = render(ds, kind="precision", sigma="uncertainty")
    # those without a sigma are left out
    assert float(image.sum()) == pytest.approx(2.0, abs=1e-7)
    for place, wide in ((0.0, 2e-9), (1e-7, 4e-9)):
        profile = image.sel(x=slice(place - 4e-8, place + 4e-8)).sum("y")
        variance = float((profile * (profile["x"] - place) ** 2).sum() / profile.sum())
        assert variance == pytest.approx(wide**2 + 1e-18 / 12, rel=1e-5)
    both = xr.DataArray(
        np.stack([sigma, 2 * sigma, sigma], axis=1), dims=("localization", "axis"), name="s"
    )
    image = render(ds, kind="precision", sigma=both).sel(x=slice(-4e-8, 4e-8))
    variance = float((image * image["y"] ** 2).sum() / image.sum())
    assert variance == pytest.approx(1.6e-17 + 1e-18 / 12, rel=1e-5)
    bound = render(ds.assign(bound_lateral=ds["uncertainty"]), kind="precision")
    assert float(bound.sum()) == pytest.approx(2.0, abs=1e-7)


def test_channels(run, points) -> None:
    image = render(run, pixel=2e-8, color="channel")
    assert image.dims == ("wash", "y", "x")
    assert image["wash"].values.tolist() == [0, 1, 2]
    wash = run["wash"].values[used_rows(run).compute()]
    for number in range(3):
        wanted = numpys(image, points[wash == number])
        np.testing.assert_array_equal(image.sel(wash=number).values, wanted)
    few = render(run, pixel=2e-8, color=run["wash"].rename("dye"), channels=[2, 0, 9])
    assert few.dims == ("dye", "y", "x")
    assert few.sum(("y", "x")).values.tolist() == [(wash == 2).sum(), (wash == 0).sum(), 0]


@pytest.mark.parametrize("weights", [None, "eco"])
@pytest.mark.parametrize("kind", ["histogram", "gaussian"])
def test_mean_of_a_value(run, points, kind: str, weights) -> None:
    sigma = None if kind == "histogram" else 1e-12
    image = render(
        run, pixel=1.1e-7, color="depth", kind=kind, sigma=sigma, weights=weights
    ).compute()
    used = used_rows(run).compute()
    eco = run.mfx.last_iteration()["eco"].values[used] if weights else np.ones(len(points))
    total = numpys(image, points, weights=eco)
    tolerance = {"rtol": 1e-6, "atol": 0.02 * (sigma is not None)}
    np.testing.assert_allclose(image.values, total, **tolerance)
    with np.errstate(invalid="ignore"):
        mean = numpys(image, points, weights=eco * points[:, 2]) / total
    np.testing.assert_allclose(image["color"].values, mean, rtol=1e-6, atol=1e-12)
    assert image["color"].attrs["units"] == "m"
    if weights is None and kind == "histogram":
        assert image.dtype == np.uint32


def test_traces(run) -> None:
    traces = run.mfx.traces()
    image = render(run, pixel=1e-8, traces=True)
    np.testing.assert_array_equal(image.values, numpys(image, traces["centroid"].values))
    assert int(render(traces, pixel=1e-8).sum()) == traces.sizes["trace"]
    assert image.attrs["long_name"] == "traces in a pixel"
    timed = render(run, pixel=1e-8, traces=True, color="time")
    total = float((timed * timed["color"]).sum())
    assert total == pytest.approx(float(traces["mean_time"].sum()))
    steps = [entry["step"] for entry in history(timed.attrs)]
    assert steps[-2:] == ["traces", "render"]


def test_provenance(run) -> None:
    image = render(run, pixel=2e-8, kind="gaussian", sigma=2e-8, weights=run["tim"])
    entry = history(image.attrs)[-1]
    assert entry["step"] == "render"
    assert entry["parameters"] == {
        "kind": "gaussian",
        "pixel": 2e-8,
        "axes": ["x", "y"],
        "sigma": 2e-8,
        "weights": "tim",
    }
    assert "weights" in entry["others"]


def test_edges_of_a_part(run) -> None:
    image = render(run, pixel=2e-8)
    part = image.isel(x=slice(3, 9))
    np.testing.assert_array_equal(pixel_edges(part, "x"), pixel_edges(image, "x")[3:10])
    with pytest.raises(ValueError, match="follow each other"):
        pixel_edges(image.isel(x=[1, 3]), "x")
    with pytest.raises(ValueError, match="no axis"):
        pixel_edges(image, "wash")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"axes": ("x", "q")}, "two or three of"),
        ({"axes": ("x", "x")}, "two or three of"),
        ({"pixel": 0.0}, "larger than 0"),
        ({"pixel": (1e-9, 1e-9, 1e-9)}, "one for each of 2 axes"),
        ({"pixel": 1e-30}, "too small"),
        ({"limits": [(1.0, 1.0), (0.0, 1.0)]}, "low < high"),
        ({"limits": [(0.0, 1e3), (0.0, 1e3)]}, "larger pixels"),
        ({"kind": "splat"}, "kind must be"),
        ({"sigma": 1e-9}, "no sigma"),
        ({"kind": "gaussian"}, "sigma above 0"),
        ({"kind": "gaussian", "sigma": -1.0}, "sigma above 0"),
        ({"kind": "gaussian", "sigma": "tim"}, "sigma above 0"),
        ({"kind": "precision", "sigma": 1e-9}, "localization_bounds"),
        ({"kind": "precision"}, "bound_lateral"),
        ({"color": "nothing"}, "no variable 'nothing'"),
        ({"color": "position"}, "one number for each localization"),
        ({"color": "tid"}, "values for channels"),
        ({"color": "tim", "channels": [1]}, "whole numbers"),
        ({"channels": [1]}, "whole numbers"),
        ({"weights": xr.DataArray(np.ones(2), dims="localization")}, "one number"),
        ({"traces": True, "color": "vld"}, "no variable 'vld'"),
    ],
)
def test_wrong_parameters(run, options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        render(run, **options)


def test_nothing_to_draw(run) -> None:
    none = run.mfx.filter(efo=(1e9, None))
    with pytest.raises(ValueError, match="nothing is left"):
        render(none)
    assert int(render(none, pixel=1e-8, limits=LIMITS).sum()) == 0
    with pytest.raises(ValueError, match="localizations with a position"):
        render(xr.Dataset({"a": ("x", [1])}))


def test_tiff_and_ome_zarr_of_a_plane(run, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    image = render(run, pixel=2e-8, color="wash")
    write_tiff(image, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.asarray(), image.values)
        assert file.pages[0].tags["XResolution"].value[0] / file.pages[0].tags["XResolution"].value[
            1
        ] == pytest.approx(50.0)
        assert file.imagej_metadata["unit"] == "um"
    write_ome_zarr(image, tmp_path / "a.zarr", levels=3, coarser="sum")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], image.values)
    ome = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    (scales,) = ome["multiscales"]
    scale, moved = scales["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([1, 0.02, 0.02])
    first = [float(image[name][0]) * 1e6 for name in "yx"]
    assert moved["translation"] == pytest.approx([0, *first])
    assert [channel["label"] for channel in ome["omero"]["channels"]] == ["0", "1", "2"]


def test_tiff_and_ome_zarr_in_space(run, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    image = render(run, pixel=(4e-8, 4e-8, 9e-8), axes=("x", "y", "z"))
    write_tiff(image, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.series[0].axes == "ZYX"
        np.testing.assert_array_equal(file.asarray(), image.values)
        assert file.imagej_metadata["spacing"] == pytest.approx(0.09)
    write_ome_zarr(image, tmp_path / "a.zarr", levels=2)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][0], image.values)
    assert group["1"].shape == (1, image.shape[0], image.shape[1] // 2, image.shape[2] // 2)
    ome = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    (scales,) = ome["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["c", "z", "y", "x"]
    scale, moved = scales["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([1, 0.09, 0.08, 0.08])
    assert moved["translation"][1] == pytest.approx(float(image["z"][0]) * 1e6)


def test_that_color_becomes_a_channel_of_a_file(run, tmp_path: Path) -> None:
    image = render(run, pixel=5e-8, color="depth")
    write_ome_zarr(image.reset_coords("color"), tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    labels = [channel["label"] for channel in group.attrs["ome"]["omero"]["channels"]]
    found = dict(zip(labels, group["0"][:], strict=True))
    np.testing.assert_array_equal(found["counts"], image.values)
    np.testing.assert_array_equal(found["color"], image["color"].values)


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "count"), [("2D", 12_580), ("3D", 5_812)])
def test_real_files(data_dir: Path, name: str, count: int) -> None:
    ds = mfx.open_minflux(data_dir / "minflux" / f"{name}_ValidOnly.npy").mfx.filter()
    image = render(ds, pixel=1e-9)
    points = ds.mfx.last_iteration()["position"].values[used_rows(ds).compute()]
    assert int(image.sum()) == count == len(points)
    np.testing.assert_array_equal(image.values, numpys(image, points))
    drawn = render(ds, pixel=2e-9, kind="gaussian", sigma=2e-9)
    assert float(drawn.sum()) == pytest.approx(count, rel=1e-8)
