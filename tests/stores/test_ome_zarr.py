"""OME-Zarr images, checked against the rules of OME-NGFF 0.5 and, if there, ome-zarr-models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
import zarr

from mfxarray.errors import DataError, IncompleteStoreError
from mfxarray.stores.ome_zarr import write_ome_zarr
from mfxarray.stores.seal import check_sealed
from mfxarray.testing import raise_if_computes
from tests.stores.image_samples import HOSTILE, failing, large, peak_of, stack
from tests.stores.samples import BlockFailedError, names

MB = 1_000_000
RANK = {"time": 0, "channel": 1, "space": 2}


def opened(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Return the metadata and all levels, after checking every MUST of the specification."""
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 3
    ome = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
    assert ome["version"] == "0.5"
    (image,) = ome["multiscales"]
    axes = image["axes"]
    assert 2 <= len(axes) <= 5
    assert len({axis["name"] for axis in axes}) == len(axes)
    kinds = [RANK[axis["type"]] for axis in axes]
    assert kinds == sorted(kinds)
    assert kinds.count(0) <= 1
    assert kinds.count(1) <= 1
    assert 2 <= kinds.count(2) <= 3
    arrays = [group[entry["path"]] for entry in image["datasets"]]
    for entry, array in zip(image["datasets"], arrays, strict=True):
        assert array.metadata.dimension_names == tuple(axis["name"] for axis in axes)
        scale, translation = entry["coordinateTransformations"]
        assert (scale["type"], translation["type"]) == ("scale", "translation")
        assert len(scale["scale"]) == len(translation["translation"]) == len(axes)
        assert all(factor > 0 for factor in scale["scale"])
    shapes = [array.shape for array in arrays]
    assert shapes == sorted(shapes, reverse=True)
    for channel in ome["omero"]["channels"]:
        assert re.fullmatch("[0-9A-F]{6}", channel["color"])
        window = channel["window"]
        assert window["min"] <= window["start"] < window["end"]
        assert set(window) == {"min", "max", "start", "end"}
    return ome, [array[:] for array in arrays]


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("chunks", [{"frame": 1}, {"frame": 4}, {"frame": 5, "y": 4, "x": 7}])
def test_round_trip(tmp_path: Path, chunks: Any, scheduler: str) -> None:
    data = stack(chunks=chunks)
    with dask.config.set(scheduler=scheduler):
        write_ome_zarr(data, tmp_path / "a.ome.zarr")
    ome, (found,) = opened(tmp_path / "a.ome.zarr")
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, data.values)
    (image,) = ome["multiscales"]
    assert image["name"] == "a.ome.zarr"
    assert image["axes"] == [
        {"name": "t", "type": "time"},
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([1, 1, 0.25, 0.5])
    assert translation["translation"] == pytest.approx([0, 0, 0.125, 3.25])
    assert [entry["label"] for entry in ome["omero"]["channels"]] == ["12C", "12C 14N", "SE"]
    assert names(tmp_path) == ["a.ome.zarr"]


def test_models_of_others_take_it(tmp_path: Path) -> None:
    image = pytest.importorskip("ome_zarr_models.v05.image").Image
    write_ome_zarr(stack(), tmp_path / "a.ome.zarr", levels=3)
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    assert len(image.from_zarr(group).ome_attributes.multiscales[0].datasets) == 3


def test_chunks_change_no_byte(tmp_path: Path) -> None:
    for name, chunks in (("a", {"frame": 1}), ("b", {"frame": 4, "x": 5})):
        write_ome_zarr(stack(chunks=chunks), tmp_path / name, levels=2, name="image")
    files = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    for path in files:
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()
    assert len(files) == 6


def test_coarser_levels(tmp_path: Path) -> None:
    data = stack()
    write_ome_zarr(data, tmp_path / "mean", levels=3)
    write_ome_zarr(data, tmp_path / "sum", levels=3, coarser="sum")
    ome, means = opened(tmp_path / "mean")
    _, sums = opened(tmp_path / "sum")
    # 13 x 17 pixels: the last row and column have no neighbour
    assert [level.shape[2:] for level in means] == [(13, 17), (6, 8), (3, 4)]
    blocks = data.values[:, :, :12, :16].reshape(6, 3, 6, 2, 8, 2)
    np.testing.assert_array_equal(sums[1], blocks.sum(axis=(3, 5)))
    np.testing.assert_array_equal(means[1], np.floor(blocks.mean(axis=(3, 5)) + 0.5))
    assert sums[2].sum() == data.values[:, :, :12, :16].sum()
    for level, entry in enumerate(ome["multiscales"][0]["datasets"]):
        scale, translation = (t[t["type"]] for t in entry["coordinateTransformations"])
        # the outer edge of the first pixel stays where it is
        edges = [translation[axis] - scale[axis] / 2 for axis in (2, 3)]
        assert edges == pytest.approx([0.0, 3.0])
        assert scale == pytest.approx([1, 1, 0.25 * 2**level, 0.5 * 2**level])


def test_coarser_levels_of_floats_and_tiles(tmp_path: Path, monkeypatch: Any) -> None:
    from mfxarray.stores import zarr_layout

    monkeypatch.setattr(zarr_layout, "TILE_FROM_BYTES", 100)
    monkeypatch.setattr(zarr_layout, "TILE", 4)
    data = stack(frames=2).astype("f8")
    data[0, 0, 0, 0] = np.nan
    write_ome_zarr(data, tmp_path / "a", levels=3)
    _, levels = opened(tmp_path / "a")
    np.testing.assert_array_equal(levels[0], data.values)
    blocks = data.values[:, :, :12, :16].reshape(2, 3, 3, 4, 4, 4)
    np.testing.assert_allclose(levels[2], blocks.mean(axis=(3, 5)))
    assert np.isnan(levels[2][0, 0, 0, 0])
    assert levels[1].dtype == np.float64


def test_sums_that_do_not_fit(tmp_path: Path) -> None:
    image = xr.DataArray(np.full((4, 4), 200, "u1"), dims=("y", "x"))
    with pytest.raises(ValueError, match="do not fit uint8"):
        write_ome_zarr(image, tmp_path / "a", levels=2, coarser="sum")
    assert names(tmp_path) == []


def test_images_without_frames(tmp_path: Path) -> None:
    total = stack().sum("frame").drop_vars(["x", "y"])
    write_ome_zarr(total, tmp_path / "a", levels=2, name="total")
    ome, (found, _) = opened(tmp_path / "a")
    np.testing.assert_array_equal(found, total.values)
    axes = ome["multiscales"][0]["axes"]
    assert [axis["name"] for axis in axes] == ["c", "y", "x"]
    assert "unit" not in axes[1]
    assert ome["multiscales"][0]["name"] == "total"


def test_ratio_and_error(tmp_path: Path) -> None:
    image = stack().isel(frame=0, detector=0).astype("f8") / 7
    data = xr.Dataset({"ratio": image.where(image > 5), "error": image * np.nan})
    write_ome_zarr(data, tmp_path / "a")
    ome, (found,) = opened(tmp_path / "a")
    np.testing.assert_array_equal(found, [data["ratio"].values, data["error"].values])
    ratio, error = ome["omero"]["channels"]
    assert ratio["window"]["max"] == pytest.approx(float(data["ratio"].max()))
    assert error["window"] == {"min": 0.0, "max": 0.0, "start": 0.0, "end": 1.0}


def test_masks_are_bytes(tmp_path: Path) -> None:
    mask = xr.DataArray(np.eye(4, dtype=bool), dims=("y", "x"))
    write_ome_zarr(mask, tmp_path / "a")
    found = opened(tmp_path / "a")[1][0]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0], np.eye(4))


def test_window_ends_below_hot_pixels(tmp_path: Path) -> None:
    data = stack(frames=8, size=(40, 40))
    data[3, 0, 5, 5] = 60_000
    write_ome_zarr(data, tmp_path / "a")
    window = opened(tmp_path / "a")[0]["omero"]["channels"][0]["window"]
    assert window["max"] == 60_000
    assert window["end"] < 100


def test_seal_and_attributes(tmp_path: Path) -> None:
    data = stack()
    write_ome_zarr(data, tmp_path / "a")
    check_sealed(tmp_path / "a", kind="ome-zarr")
    attrs = json.loads((tmp_path / "a" / "zarr.json").read_text())["attributes"]
    assert attrs["mfxarray"]["attrs"] == data.attrs
    (tmp_path / "a" / "0" / "c" / "0" / "0" / "0" / "0").unlink()
    with pytest.raises(IncompleteStoreError):
        check_sealed(tmp_path / "a", kind="ome-zarr")


def test_hostile_names(tmp_path: Path) -> None:
    data = stack(names=HOSTILE)
    write_ome_zarr(data, tmp_path / "a", name="../\x1b[2J\ud800")
    ome, (found,) = opened(tmp_path / "a")
    np.testing.assert_array_equal(found, data.values)
    labels = [channel["label"] for channel in ome["omero"]["channels"]]
    assert all(label.isprintable() for label in labels)
    assert ome["multiscales"][0]["name"] == "../?[2J?"
    assert names(tmp_path) == ["a"]


def test_crash_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BlockFailedError):
        write_ome_zarr(failing(), tmp_path / "a")
    assert names(tmp_path) == []
    write_ome_zarr(stack(), tmp_path / "a")
    with pytest.raises(BlockFailedError):
        write_ome_zarr(failing(), tmp_path / "a", overwrite=True)
    check_sealed(tmp_path / "a", kind="ome-zarr")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"levels": 0}, "levels"), ({"levels": 5}, "levels"), ({"coarser": "max"}, "coarser")],
)
def test_wrong_parameters(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with raise_if_computes(), pytest.raises(ValueError, match=said):
        write_ome_zarr(stack(), tmp_path / "a", **options)


def test_refusals_before_any_work(tmp_path: Path) -> None:
    write_ome_zarr(stack(), tmp_path / "a")
    with raise_if_computes():
        with pytest.raises(DataError, match="exists already"):
            write_ome_zarr(stack(), tmp_path / "a")
        with pytest.raises(ValueError, match="JSON cannot hold"):
            write_ome_zarr(stack().assign_attrs(bad=np.nan), tmp_path / "b")


def test_memory_stays_at_a_few_shards(tmp_path: Path) -> None:
    data, made = large()
    assert peak_of(lambda: write_ome_zarr(data, tmp_path / "a", levels=2)) < 110 * MB
    assert len(made) == 50
