"""Tests of sealed Zarr stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from mfxarray.errors import DataError, IncompleteStoreError
from mfxarray.stores import zarr_layout
from mfxarray.stores.seal import SEAL_NAME
from mfxarray.stores.zarr_layout import encodings, plan_shards
from mfxarray.stores.zarr_store import open_zarr, open_zarr_array, write_zarr
from mfxarray.stores.zarr_tasks import Folder, shard_tasks
from tests.stores.killed import kill_writer
from tests.stores.samples import BlockFailedError, assert_same, failing, ions, names, table


def refuse(*args: Any, **options: Any) -> Any:
    raise AssertionError("something was computed")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make shards of 32 rows, so that a small table has several."""
    monkeypatch.setattr(zarr_layout, "SHARD_ROWS", 32)
    monkeypatch.setattr(zarr_layout, "CHUNK_ROWS", 16)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize(("n", "chunks"), [(110, (7, 100, 3)), (110, None), (1, 1), (0, None)])
@pytest.mark.usefixtures("small_shards")
def test_round_trip(tmp_path: Path, scheduler: str, n: int, chunks: Any) -> None:
    data = table(n, chunks)
    with dask.config.set(scheduler=scheduler):
        write_zarr(data, tmp_path / "a.zarr")
        assert_same(open_zarr(tmp_path / "a.zarr"), data)
    assert names(tmp_path) == ["a.zarr"]


def test_zero_length_block_and_zero_rows_of_dask(tmp_path: Path) -> None:
    data = table(20, 6).isel(localization=slice(0, 0))
    write_zarr(data, tmp_path / "a.zarr")
    assert_same(open_zarr(tmp_path / "a.zarr"), data)
    data = table(20, (0, 15, 0, 5))
    write_zarr(data, tmp_path / "b.zarr")
    assert_same(open_zarr(tmp_path / "b.zarr"), data)


@pytest.mark.usefixtures("small_shards")
def test_shards_are_regular_and_dask_chunks_are_shards(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    array = zarr.open_array(tmp_path / "a.zarr", path="position", mode="r")
    assert array.shards == (32, 2, 3)
    assert array.chunks == (16, 1, 3)
    opened = open_zarr(tmp_path / "a.zarr")
    assert opened.chunksizes["localization"] == (32, 32, 32, 14)
    assert opened.position.data.chunks == ((32, 32, 32, 14), (2,), (3,))


def test_planned_shards() -> None:
    rows = xr.Dataset({"p": (("trace", "axis"), da.zeros((300_000, 3), chunks=70_001))})
    assert plan_shards(rows) == {"trace": 131_072, "axis": 3}
    assert encodings(rows, plan_shards(rows))["p"]["chunks"] == (65_536, 3)
    shape = (100, 7, 256, 256)
    frames = xr.Dataset({"c": (("frame", "detector", "y", "x"), da.zeros(shape, dtype="u4"))})
    assert plan_shards(frames)["frame"] == 16 * 2**20 // (7 * 256 * 256 * 4)
    assert encodings(frames, plan_shards(frames))["c"]["chunks"] == (1, 1, 256, 256)
    picture = xr.Dataset({"d": (("y", "x"), da.zeros((20_000, 20_000)))})
    assert plan_shards(picture) == {"y": 2_048, "x": 2_048}


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.usefixtures("small_shards")
def test_every_chunk_has_a_file(tmp_path: Path, value: int) -> None:
    data = xr.Dataset({"eco": ("localization", da.full(110, value, "i4", chunks=30))})
    write_zarr(data, tmp_path / "a.zarr")
    assert names(tmp_path / "a.zarr" / "eco" / "c") == ["0", "1", "2", "3"]


def test_each_source_block_is_read_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def source(block: np.ndarray) -> np.ndarray:
        calls.append(1)
        return block

    rows = da.ones((110, 2), chunks=((7, 100, 3), 2)).map_blocks(source, meta=np.empty((0, 0)))
    data = xr.Dataset({"a": ("localization", rows[:, 0]), "b": ("localization", rows[:, 1])})
    write_zarr(data, tmp_path / "a.zarr")
    assert len(calls) == 3


def test_tasks_are_few(tmp_path: Path, small_shards: None) -> None:
    """Blocks that lie across shards cost two tasks, however many variables there are."""
    data = table(960, 40).drop_vars(["axis", "colour"])
    shards, blocks = 960 // 32, 960 // 40
    plan = plan_shards(data)
    (tmp_path / "a").mkdir()
    graph = shard_tasks(data, tmp_path / "a", plan).dask
    assert len(graph) <= 2 * (shards + blocks)


def wide(n: int) -> xr.Dataset:
    """Return rows that are not the first axis, two chunked axes, and no axis at all."""
    rng = np.random.default_rng(1)
    return xr.Dataset(
        {
            "turned": (("axis", "localization"), rng.random((3, n))),
            "grid": (("localization", "trace"), rng.random((n, 70))),
            "one": ((), 3.5),
            "name": ("localization", np.array(["a", "µ", ""] * n)[:n].astype(object)),
        }
    ).chunk(localization=(7, 0, n - 7), trace=30, axis=2)


@pytest.mark.parametrize("n", [20, 90])
def test_every_way_to_cut_arrays(tmp_path: Path, small_shards: None, n: int) -> None:
    data = wide(n)
    lazy = data.assign(one=((), da.from_array(np.array(3.5))))
    write_zarr(lazy, tmp_path / "a.zarr")
    assert_same(open_zarr(tmp_path / "a.zarr").compute(), data.compute())


def test_a_removed_folder_stays_away(tmp_path: Path) -> None:
    """A task that outlives a failed write must not bring its folder back."""
    with pytest.raises(FileNotFoundError):
        zarr.open_array(Folder(tmp_path / "gone"), path="a", mode="r+", zarr_format=3)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["counts", None])
def test_array_round_trip(tmp_path: Path, name: str | None) -> None:
    stack = ions(name=name)
    write_zarr(stack, tmp_path / "a.zarr")
    found = open_zarr_array(tmp_path / "a.zarr")
    xr.testing.assert_identical(found, stack)
    assert found.dtype == stack.dtype
    assert list(open_zarr(tmp_path / "a.zarr").data_vars) == [name or "data"]


def test_array_with_frames_in_several_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zarr_layout, "SHARD_FRAME_BYTES", 4 * 2 * 8 * 9 * 4)
    write_zarr(ions(), tmp_path / "a.zarr")
    found = open_zarr_array(tmp_path / "a.zarr")
    assert found.chunks == ((4, 4, 3), (2,), (8,), (9,))
    xr.testing.assert_identical(found, ions())


def test_dataset_is_no_array(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    with pytest.raises(DataError, match=r"holds a Dataset.*open_zarr"):
        open_zarr_array(tmp_path / "a.zarr")


def test_opening_computes_nothing(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    with dask.config.set(scheduler=refuse):
        opened = open_zarr(tmp_path / "a.zarr")
        with pytest.raises(AssertionError, match="something was computed"):
            opened.efo.compute()


def test_plain_xarray_reads_it_too(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    with pytest.warns(Warning, match="not recognized"):
        found = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    np.testing.assert_array_equal(found.efo.values, table().efo.values)
    assert set(found.coords) == set(table().coords)


def test_store_of_a_store(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    write_zarr(open_zarr(tmp_path / "a.zarr"), tmp_path / "b.zarr")
    assert_same(open_zarr(tmp_path / "b.zarr"), table())
    one, two = ((tmp_path / name / SEAL_NAME).read_text() for name in ("a.zarr", "b.zarr"))
    assert one == two


def test_replaced_store_has_other_dask_keys(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    first = open_zarr(tmp_path / "a.zarr").efo.data.name
    assert open_zarr(tmp_path / "a.zarr").efo.data.name == first
    write_zarr(table(), tmp_path / "a.zarr", overwrite=True)
    assert open_zarr(tmp_path / "a.zarr").efo.data.name != first


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_crash_in_a_block_leaves_nothing(tmp_path: Path, scheduler: str) -> None:
    with dask.config.set(scheduler=scheduler), pytest.raises(BlockFailedError):
        write_zarr(failing(), tmp_path / "a.zarr")
    assert names(tmp_path) == []


def test_crash_keeps_the_old_store(tmp_path: Path) -> None:
    write_zarr(table(20, 6), tmp_path / "a.zarr")
    with pytest.raises(BlockFailedError):
        write_zarr(failing(), tmp_path / "a.zarr", overwrite=True)
    assert_same(open_zarr(tmp_path / "a.zarr"), table(20, 6))
    assert names(tmp_path) == ["a.zarr"]


def test_existing_target_is_refused_before_any_work(tmp_path: Path) -> None:
    write_zarr(table(20, 6), tmp_path / "a.zarr")
    with dask.config.set(scheduler=refuse), pytest.raises(DataError, match="exists already"):
        write_zarr(table(), tmp_path / "a.zarr")


def test_killed_writer_leaves_no_store(tmp_path: Path) -> None:
    kill_writer("write_zarr", tmp_path, "a.zarr")
    with pytest.raises(DataError, match="no folder"):
        open_zarr(tmp_path / "a.zarr")
    (left,) = names(tmp_path)
    with pytest.raises(IncompleteStoreError, match="no seal"):
        open_zarr(tmp_path / left)
    with pytest.warns(UserWarning, match="never finished"):
        opened = open_zarr(tmp_path / left, allow_unsealed=True)
    assert opened.sizes["localization"] == 110


def test_unsealed_store_opens_only_with_a_warning(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / SEAL_NAME).unlink()
    with pytest.raises(IncompleteStoreError, match="no seal"):
        open_zarr(tmp_path / "a.zarr")
    with pytest.warns(UserWarning, match="never finished"):
        opened = open_zarr(tmp_path / "a.zarr", allow_unsealed=True)
    xr.testing.assert_identical(opened, table())


@pytest.mark.parametrize("action", ["delete", "truncate"])
def test_lost_chunk_is_noticed(tmp_path: Path, action: str) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    chunk = tmp_path / "a.zarr" / "efo" / "c" / "0" / "0"
    if action == "delete":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(IncompleteStoreError, match="efo/c/0/0"):
        open_zarr(tmp_path / "a.zarr")
    with pytest.raises(IncompleteStoreError, match="efo/c/0/0"):
        open_zarr(tmp_path / "a.zarr", allow_unsealed=True)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    data = table(40, 15)[["position"]].drop_vars(["tid", "tim"])
    write_zarr(data, tmp_path / "a.zarr")
    chunk = tmp_path / "a.zarr" / "position" / "c" / "0" / "0" / "0"
    good = chunk.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(good), 60):
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(8))
        chunk.write_bytes(bytes(bad))
        with pytest.raises((ValueError, RuntimeError, IndexError)):
            open_zarr(tmp_path / "a.zarr").position.compute()


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"zarr_format": 2}'])
def test_damaged_metadata(tmp_path: Path, text: bytes) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    meta = tmp_path / "a.zarr" / "efo" / "zarr.json"
    meta.write_bytes(text.ljust(meta.stat().st_size))
    with pytest.raises(DataError):
        open_zarr(tmp_path / "a.zarr")


def test_metadata_are_valid_json(tmp_path: Path) -> None:
    write_zarr(table(), tmp_path / "a.zarr")
    for path in (tmp_path / "a.zarr").rglob("zarr.json"):
        found = json.loads(path.read_text(), parse_constant=refuse)
        assert found["zarr_format"] == 3


@pytest.mark.parametrize(
    "value", [np.nan, [1.0, -np.inf], {"a": float("inf")}, b"x", {1: 2}, object(), 1j]
)
def test_attributes_without_json_form(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match="efo"):
        write_zarr(table().assign(efo=table().efo.assign_attrs(bad=value)), tmp_path / "a.zarr")
    assert names(tmp_path) == []


def test_numpy_attributes(tmp_path: Path) -> None:
    data = table().assign_attrs(n=np.int64(3), shape=np.array([1, 2]), pair=(1, 2))
    write_zarr(data, tmp_path / "a.zarr")
    xr.testing.assert_identical(open_zarr(tmp_path / "a.zarr"), data)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.array([1, "a"], object), "efo holds a int"),
        (np.array(["2026-01-01"], "M8[ns]"), "efo has dtype datetime64"),
        (np.array([b"a"]), "efo has dtype"),
    ],
)
def test_dtypes_without_a_place(tmp_path: Path, values: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        write_zarr(xr.Dataset({"efo": ("q", values)}), tmp_path / "a.zarr")
    assert names(tmp_path) == []


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", ">i4", "u8", "f2", ">f4", "f8", "c8", "c16"])
def test_numbers_come_back_exactly(tmp_path: Path, dtype: str) -> None:
    bits = np.random.default_rng(1).integers(0, 256, 16 * 64, dtype="u1")
    values = bits.view(dtype)[:64] if dtype != "?" else bits[:64] > 99
    write_zarr(xr.Dataset({"v": ("localization", values)}), tmp_path / "a.zarr")
    found = open_zarr(tmp_path / "a.zarr").v.values
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert found.tobytes() == values.astype(found.dtype).tobytes()


def test_text_along_rows(tmp_path: Path) -> None:
    words = np.array([f"µ {i}" for i in range(50)])
    for values in (words, words.astype(object), da.from_array(words.astype(object), chunks=7)):
        data = xr.Dataset({"w": ("localization", values)})
        write_zarr(data, tmp_path / "a.zarr", overwrite=True)
        assert_same(open_zarr(tmp_path / "a.zarr"), data)


@pytest.mark.cluster
@pytest.mark.usefixtures("small_shards")
def test_cluster_writes_the_same_bytes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    write_zarr(table(), tmp_path / "threads.zarr")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=True, **options) as cluster, cluster.get_client():
        write_zarr(table(), tmp_path / "cluster.zarr")
        assert_same(open_zarr(tmp_path / "cluster.zarr").compute(), table().compute())
        with pytest.raises(BlockFailedError):
            write_zarr(failing(), tmp_path / "failed.zarr")
        kept = table().persist()
        write_zarr(kept, tmp_path / "kept.zarr")
        assert_same(open_zarr(tmp_path / "kept.zarr").compute(), table().compute())
    assert names(tmp_path) == ["cluster.zarr", "kept.zarr", "threads.zarr"]
    for path in (tmp_path / "threads.zarr").rglob("*"):
        other = tmp_path / "cluster.zarr" / path.relative_to(tmp_path / "threads.zarr")
        assert path.is_dir() or path.read_bytes() == other.read_bytes()
