"""TIFF hyperstacks; tifffile, which knows ImageJ's metadata, reads them back."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.stores import tiff as tiff_module
from mfxarray.stores.tiff import write_tiff
from mfxarray.testing import raise_if_computes
from tests.stores.image_samples import HOSTILE, failing, large, peak_of, stack
from tests.stores.samples import BlockFailedError, names

tifffile = pytest.importorskip("tifffile")

MB = 1_000_000


def read(path: Path) -> tuple[np.ndarray, str, dict[str, Any], Any]:
    with tifffile.TiffFile(path) as file:
        assert file.is_imagej
        page = file.pages[0]
        scale = {name: page.tags[name].value for name in ("XResolution", "YResolution")}
        series = file.series[0]
        return series.asarray(), series.axes, file.imagej_metadata | scale, len(file.pages)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize(
    "chunks", [{"frame": 1}, {"frame": 4}, {"frame": -1}, {"frame": 5, "y": 4, "x": 7}]
)
def test_round_trip(tmp_path: Path, chunks: Any, scheduler: str) -> None:
    data = stack(chunks=chunks)
    with dask.config.set(scheduler=scheduler):
        write_tiff(data, tmp_path / "a.tif")
    found, axes, about, pages = read(tmp_path / "a.tif")
    assert axes == "TCYX"
    assert found.dtype == np.uint16
    assert pages == 18
    np.testing.assert_array_equal(found, data.values)
    assert {key: about[key] for key in ("frames", "channels", "images", "hyperstack")} == {
        "frames": 6,
        "channels": 3,
        "images": 18,
        "hyperstack": True,
    }
    assert about["Labels"][:4] == [
        "12C - frame 1",
        "12C 14N - frame 1",
        "SE - frame 1",
        "12C - frame 3",
    ]
    assert names(tmp_path) == ["a.tif"]


def test_chunks_change_no_byte(tmp_path: Path) -> None:
    for name, chunks in (("a", {"frame": 1}), ("b", {"frame": 4, "x": 5})):
        write_tiff(stack(chunks=chunks), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_scale_in_um(tmp_path: Path) -> None:
    write_tiff(stack(), tmp_path / "a.tif")
    about = read(tmp_path / "a.tif")[2]
    assert about["unit"] == "um"
    across, down = (about[f"{axis}Resolution"] for axis in "XY")
    # pixels in a µm
    assert across[0] / across[1] == pytest.approx(1 / 0.5)
    assert down[0] / down[1] == pytest.approx(1 / 0.25)
    # ImageJ: place = (pixel - origin) * size; the left edge is at 3 µm
    assert (0 - about["xorigin"]) * 0.5 == pytest.approx(3.0)
    assert "yorigin" not in about


def test_without_a_scale(tmp_path: Path) -> None:
    write_tiff(stack().drop_vars(["x", "y"]), tmp_path / "a.tif")
    about = read(tmp_path / "a.tif")[2]
    assert "unit" not in about
    assert about["XResolution"] == (1, 1)


def test_attributes_are_in_the_info(tmp_path: Path) -> None:
    write_tiff(stack(), tmp_path / "a.tif")
    info = read(tmp_path / "a.tif")[2]["Info"]
    assert '"units": "counts"' in info
    assert '"step\\": \\"open' in info
    assert "null" in info


def test_accumulated_and_single_images(tmp_path: Path) -> None:
    total = stack().sum("frame")
    write_tiff(total, tmp_path / "a.tif")
    found, axes, about, _ = read(tmp_path / "a.tif")
    assert axes == "CYX"
    assert about["Labels"] == ["12C", "12C 14N", "SE"]
    np.testing.assert_array_equal(found, total.values)
    write_tiff(total.isel(detector=0), tmp_path / "b.tif")
    np.testing.assert_array_equal(read(tmp_path / "b.tif")[0], total.values[0])


def test_ratio_keeps_nan(tmp_path: Path) -> None:
    image = stack().isel(frame=0, detector=0).astype("f8") / 7
    ratio = xr.Dataset({"ratio": image.where(image > 5), "error": image / 9})
    write_tiff(ratio, tmp_path / "a.tif")
    found, axes, about, _ = read(tmp_path / "a.tif")
    assert (axes, found.dtype) == ("CYX", np.float32)
    assert about["Labels"] == ["ratio", "error"]
    np.testing.assert_array_equal(found[0], ratio["ratio"].values.astype("f4"))
    assert np.isnan(found[0]).any()


def test_counts_and_variance(tmp_path: Path) -> None:
    counts = stack()
    write_tiff(xr.Dataset({"counts": counts * 1.5, "variance": counts * 2.0}), tmp_path / "a.tif")
    found, _, about, _ = read(tmp_path / "a.tif")
    assert about["Labels"][2:4] == ["SE - frame 1", "12C variance - frame 1"]
    np.testing.assert_array_equal(found[:, :3], counts.values * np.float32(1.5))
    np.testing.assert_array_equal(found[:, 3:], counts.values * np.float32(2))


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("dtype", ["u1", "?"])
def test_narrow_images_are_not_taken_for_colours(tmp_path: Path, width: int, dtype: str) -> None:
    values = (np.arange(2 * 5 * width).reshape(2, 5, width) % 2).astype(dtype)
    write_tiff(xr.DataArray(values, dims=("detector", "y", "x")), tmp_path / "a.tif")
    found = read(tmp_path / "a.tif")[0]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found.reshape(values.shape), values)


@pytest.mark.parametrize(
    ("top", "kind"), [(65_535, np.uint16), (65_536, np.float32), (2**24, np.float32)]
)
def test_type_of_counts(tmp_path: Path, top: int, kind: type) -> None:
    data = stack()
    data[3, 1, 2, 4] = top
    write_tiff(data, tmp_path / "a.tif")
    found = read(tmp_path / "a.tif")[0]
    assert found.dtype == kind
    np.testing.assert_array_equal(found.astype(np.int64), data.values)


def test_counts_that_are_exact_nowhere(tmp_path: Path) -> None:
    data = stack()
    data[3, 1, 2, 4] = 2**24 + 1
    with pytest.raises(ValueError, match=r"16777217 are exact in no type.*dtype='float32'"):
        write_tiff(data, tmp_path / "a.tif")
    with pytest.raises(ValueError, match="uint16 cannot hold"):
        write_tiff(data, tmp_path / "a.tif", dtype="uint16")
    assert names(tmp_path) == []
    write_tiff(data, tmp_path / "a.tif", dtype="float32")
    assert read(tmp_path / "a.tif")[0][3, 1, 2, 4] == 2**24


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan, np.inf])
def test_floats_that_are_no_counts(tmp_path: Path, value: float) -> None:
    data = stack().astype("f8")
    data[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match="uint16 cannot hold"):
        write_tiff(data, tmp_path / "a.tif", dtype="uint16")
    assert names(tmp_path) == []


def test_negative_integers(tmp_path: Path) -> None:
    data = stack().astype("i4") - 60
    write_tiff(data, tmp_path / "a.tif")
    found = read(tmp_path / "a.tif")[0]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, data.values)


def test_hostile_names(tmp_path: Path) -> None:
    data = stack(names=HOSTILE).assign_attrs(comment="a\x00b\ud800\u202e", odd={1: object()})
    write_tiff(data, tmp_path / "a.tif")
    found, _, about, _ = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found, data.values)
    assert len(about["Labels"]) == 6 * len(HOSTILE)
    assert all(label.isprintable() for label in about["Labels"])
    assert about["Labels"][0] == "12C 14N - frame 1"


def test_files_beyond_4_gib_keep_one_page(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tiff_module, "_CLASSIC_BYTES", 1000)
    write_tiff(stack(), tmp_path / "a.tif")
    found, _, _, pages = read(tmp_path / "a.tif")
    assert pages == 1
    np.testing.assert_array_equal(found, stack().values)


@pytest.mark.filterwarnings("error")
def test_bigtiff(tmp_path: Path) -> None:
    write_tiff(stack(), tmp_path / "a.tif", bigtiff=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        assert len(file.pages) == 18
        np.testing.assert_array_equal(file.asarray(), stack().values)


def test_crash_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BlockFailedError):
        write_tiff(failing(), tmp_path / "a.tif", dtype="uint16")
    assert names(tmp_path) == []
    write_tiff(stack(), tmp_path / "a.tif")
    before = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(BlockFailedError):
        write_tiff(failing(), tmp_path / "a.tif", dtype="uint16", overwrite=True)
    assert (tmp_path / "a.tif").read_bytes() == before
    assert names(tmp_path) == ["a.tif"]


def test_refusals_before_any_work(tmp_path: Path) -> None:
    write_tiff(stack(), tmp_path / "a.tif")
    with raise_if_computes():
        with pytest.raises(DataError, match="exists already"):
            write_tiff(stack(), tmp_path / "a.tif")
        with pytest.raises(DataError, match="folder does not exist"):
            write_tiff(stack(), tmp_path / "no" / "a.tif")
        with pytest.raises(ValueError, match="dtype must be one of"):
            write_tiff(stack(), tmp_path / "b.tif", dtype="uint32")


def test_that_a_missing_library_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == "tifffile":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"mfxarray\[tiff\]"):
        write_tiff(stack(), tmp_path / "a.tif")


def test_memory_stays_at_a_few_blocks(tmp_path: Path) -> None:
    data, made = large()
    assert peak_of(lambda: write_tiff(data, tmp_path / "a.tif", dtype="uint16")) < 50 * MB
    assert len(made) == 50
    assert (tmp_path / "a.tif").stat().st_size > 100 * MB


@pytest.mark.cluster
def test_cluster_writes_the_same_bytes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    write_tiff(stack(), tmp_path / "threads.tif")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=True, **options) as cluster, cluster.get_client():
        write_tiff(stack(), tmp_path / "cluster.tif")
        with pytest.raises(BlockFailedError):
            write_tiff(failing(), tmp_path / "failed.tif", dtype="uint16")
    assert names(tmp_path) == ["cluster.tif", "threads.tif"]
    assert (tmp_path / "threads.tif").read_bytes() == (tmp_path / "cluster.tif").read_bytes()
