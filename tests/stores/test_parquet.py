"""Tests of sealed Parquet tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError, IncompleteStoreError
from mfxarray.stores import parquet
from mfxarray.stores.parquet import open_parquet, write_parquet
from mfxarray.stores.seal import SEAL_NAME, staged
from tests.samples import ion_stack
from tests.stores.killed import kill_writer
from tests.stores.samples import BlockFailedError, assert_same, failing, ions, names, table


def refuse(*args: Any, **options: Any) -> Any:
    raise AssertionError("something was computed")


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("rows", ["localization", "trace"])
@pytest.mark.parametrize(("n", "chunks"), [(110, (7, 100, 3)), (110, None), (1, 1), (0, None)])
def test_round_trip(tmp_path: Path, scheduler: str, rows: str, n: int, chunks: Any) -> None:
    data = table(n, chunks, rows)
    with dask.config.set(scheduler=scheduler):
        write_parquet(data, tmp_path / "a")
        assert_same(open_parquet(tmp_path / "a"), data)
    assert names(tmp_path) == ["a"]


def test_a_file_per_block_and_a_chunk_per_file(tmp_path: Path) -> None:
    write_parquet(table(), tmp_path / "a")
    parts = [f"part-0000{i}.parquet" for i in range(3)]
    assert names(tmp_path / "a") == [SEAL_NAME, *parts]
    assert [pq.read_metadata(tmp_path / "a" / part).num_rows for part in parts] == [7, 100, 3]
    assert open_parquet(tmp_path / "a").chunksizes["localization"] == (7, 100, 3)


def test_blocks_without_rows(tmp_path: Path) -> None:
    data = table(20, (0, 15, 0, 5))
    write_parquet(data, tmp_path / "a")
    assert_same(open_parquet(tmp_path / "a"), data)


def test_chunks_along_other_dimensions(tmp_path: Path) -> None:
    data = table().chunk(iteration=1, axis=2)
    write_parquet(data, tmp_path / "a")
    assert_same(open_parquet(tmp_path / "a"), data)


def test_rows_need_not_come_first(tmp_path: Path) -> None:
    data = table()
    data["efo"] = data["efo"].transpose()
    data["ext"] = data["ext"].transpose("axis", "localization", "iteration")
    write_parquet(data, tmp_path / "a")
    assert_same(open_parquet(tmp_path / "a"), data)


def test_pandas_reads_the_folder(tmp_path: Path) -> None:
    data = table()
    write_parquet(data, tmp_path / "a")
    frame = pd.read_parquet(tmp_path / "a")
    assert len(frame) == 110
    np.testing.assert_array_equal(frame["efo_i4"], data.efo.sel(iteration=4))
    column = data.position.sel(iteration=3, axis="z")
    np.testing.assert_array_equal(frame["position_i3_z"], column)
    assert frame["tic_i3"].dtype == "uint64"
    assert frame["vld"].dtype == "bool"
    assert list(frame.columns[:3]) == ["vld", "efo_i3", "efo_i4"]
    assert frame["ext_i4_y"].dtype == "float32"


def test_schema_is_the_same_everywhere_and_has_units(tmp_path: Path) -> None:
    write_parquet(table(), tmp_path / "a")
    schemas = [pq.read_schema(path) for path in sorted((tmp_path / "a").glob("*.parquet"))]
    assert all(schema.equals(schemas[0], check_metadata=True) for schema in schemas)
    found = schemas[0].field("position_i4_x").metadata
    assert found[b"units"] == b"m"
    assert found[b"long_name"] == b"position"
    assert found[b"variable"] == b"position"
    assert json.loads(found[b"dims"]) == ["localization", "iteration", "axis"]
    json.loads(schemas[0].metadata[b"mfxarray"], parse_constant=refuse)


def test_column_names_without_coordinates(tmp_path: Path) -> None:
    data = xr.Dataset({"a": (("trace", "iteration", "q"), np.zeros((4, 1, 2)))})
    write_parquet(data, tmp_path / "a")
    assert list(pd.read_parquet(tmp_path / "a").columns) == ["a_i0_q0", "a_i0_q1"]


def test_each_source_block_is_read_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def source(block: np.ndarray) -> np.ndarray:
        calls.append(1)
        return block

    rows = da.ones((110, 2), chunks=((7, 100, 3), 2)).map_blocks(source, meta=np.empty((0, 0)))
    data = xr.Dataset({"a": ("localization", rows[:, 0]), "b": ("localization", rows[:, 1] + 1)})
    write_parquet(data, tmp_path / "a")
    assert len(calls) == 3


def test_opening_computes_nothing(tmp_path: Path) -> None:
    data = table().assign_coords(localization=np.arange(110) * 2)
    write_parquet(data, tmp_path / "a")
    with dask.config.set(scheduler=refuse):
        opened = open_parquet(tmp_path / "a")
        with pytest.raises(AssertionError, match="something was computed"):
            opened.efo.compute()
    assert_same(opened, data)


def test_text_along_rows(tmp_path: Path) -> None:
    words = np.array([f"µ {i}" for i in range(50)])
    for values in (words, words.astype(object), words.astype(np.dtypes.StringDType())):
        data = xr.Dataset({"w": ("trace", values)})
        write_parquet(data, tmp_path / "a", overwrite=True)
        assert_same(open_parquet(tmp_path / "a"), data)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", ">i4", "u8", "f2", ">f4", "f8"])
def test_numbers_come_back_exactly(tmp_path: Path, dtype: str) -> None:
    bits = np.random.default_rng(1).integers(0, 256, 8 * 64, dtype="u1")
    values = bits.view(dtype)[:64] if dtype != "?" else bits[:64] > 99
    write_parquet(xr.Dataset({"v": ("localization", values)}), tmp_path / "a")
    found = open_parquet(tmp_path / "a").v.values
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert found.tobytes() == values.astype(found.dtype).tobytes()


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_crash_in_a_block_leaves_nothing(tmp_path: Path, scheduler: str) -> None:
    with dask.config.set(scheduler=scheduler), pytest.raises(BlockFailedError):
        write_parquet(failing(), tmp_path / "a")
    assert names(tmp_path) == []


def test_crash_keeps_the_old_store(tmp_path: Path) -> None:
    write_parquet(table(20, 6), tmp_path / "a")
    with pytest.raises(BlockFailedError):
        write_parquet(failing(), tmp_path / "a", overwrite=True)
    assert_same(open_parquet(tmp_path / "a"), table(20, 6))
    assert names(tmp_path) == ["a"]


def test_existing_target_is_refused_before_any_work(tmp_path: Path) -> None:
    write_parquet(table(), tmp_path / "a")
    with dask.config.set(scheduler=refuse), pytest.raises(DataError, match="exists already"):
        write_parquet(table(), tmp_path / "a")


def test_killed_writer_leaves_no_store(tmp_path: Path) -> None:
    kill_writer("write_parquet", tmp_path, "a")
    with pytest.raises(DataError, match="no folder"):
        open_parquet(tmp_path / "a")
    (left,) = names(tmp_path)
    with pytest.raises(IncompleteStoreError, match="no seal"):
        open_parquet(tmp_path / left)


@pytest.mark.parametrize("action", ["delete", "truncate"])
def test_lost_part_is_noticed(tmp_path: Path, action: str) -> None:
    write_parquet(table(), tmp_path / "a")
    part = tmp_path / "a" / "part-00001.parquet"
    if action == "delete":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(IncompleteStoreError, match="part-00001"):
        open_parquet(tmp_path / "a")


def flipped(good: bytes, place: int, bit: int) -> bytes:
    bad = bytearray(good)
    bad[place] ^= 1 << bit
    return bytes(bad)


def test_every_flipped_bit_of_a_page_is_noticed(tmp_path: Path) -> None:
    data = table(110, None)[["position"]].drop_vars(["tid", "tim"])
    write_parquet(data, tmp_path / "a")
    part = tmp_path / "a" / "part-00000.parquet"
    good = part.read_bytes()
    group = pq.read_metadata(part).row_group(0)
    rng = np.random.default_rng(0)
    for index in range(120):
        column = group.column(index % group.num_columns)
        start = column.dictionary_page_offset or column.data_page_offset
        # the last bytes of a column are page contents
        place = start + column.total_compressed_size - 1 - int(rng.integers(40))
        part.write_bytes(flipped(good, place, int(rng.integers(8))))
        with pytest.raises(DataError, match="part-00000"):
            open_parquet(tmp_path / "a").position.compute()


def test_no_flipped_bit_changes_a_value(tmp_path: Path) -> None:
    data = table(30, None)
    write_parquet(data, tmp_path / "a")
    part = tmp_path / "a" / "part-00000.parquet"
    good = part.read_bytes()
    rng = np.random.default_rng(0)
    noticed = 0
    for place in rng.integers(4, len(good), 150):
        part.write_bytes(flipped(good, place, int(rng.integers(8))))
        try:
            found = open_parquet(tmp_path / "a").compute()
        except DataError:
            noticed += 1
        else:  # page headers hold statistics that nothing reads
            assert_same(found, data)
    assert noticed > 100


def test_swapped_parts_are_noticed(tmp_path: Path) -> None:
    write_parquet(table(20, 10), tmp_path / "a")
    one, two = (tmp_path / "a" / f"part-0000{i}.parquet" for i in (0, 1))
    low, high = one.read_bytes(), two.read_bytes()
    one.write_bytes(high)
    two.write_bytes(low)
    with pytest.raises(DataError):
        open_parquet(tmp_path / "a")


def rewritten(folder: Path, metadata: dict[bytes, bytes] | None) -> Path:
    """Replace the metadata of a sealed one-part store, and seal it again."""
    old = pq.read_table(next(folder.glob("*.parquet")))
    extra: dict[str, Any] = {}
    with staged(folder, kind="parquet", extra=extra, overwrite=True) as fresh:
        part = fresh / "part-00000.parquet"
        pq.write_table(old.replace_schema_metadata(metadata), part)
        extra["parts"] = [[old.num_rows, parquet._footer_hash(str(part))]]
    return folder


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"format": 9}', b'{"format": 1}'])
def test_damaged_metadata(tmp_path: Path, text: bytes) -> None:
    write_parquet(table(10, None), tmp_path / "a")
    with pytest.raises(DataError):
        open_parquet(rewritten(tmp_path / "a", {b"mfxarray": text}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("variables", "efo", "columns"), ["efo_i3"]),
        (("variables", "efo", "columns"), ["efo_i3", "nothing"]),
        (("variables", "efo", "dims"), ["iteration"]),
        (("variables", "iteration", "base64"), "AAAA"),
        (("variables", "iteration", "dtype"), "|O"),
        (("variables", "iteration"), 3),
        (("sizes",), {}),
        (("coords",), ["nobody"]),
        (("attrs",), 5),
    ],
)
def test_forged_metadata(tmp_path: Path, key: tuple[str, ...], value: object) -> None:
    write_parquet(table(10, None), tmp_path / "a")
    schema = pq.read_schema(tmp_path / "a" / "part-00000.parquet")
    meta = json.loads(schema.metadata[b"mfxarray"])
    place = meta
    for step in key[:-1]:
        place = place[step]
    place[key[-1]] = value
    with pytest.raises(DataError):
        open_parquet(rewritten(tmp_path / "a", {b"mfxarray": json.dumps(meta).encode()}))


def test_foreign_table(tmp_path: Path) -> None:
    write_parquet(table(10, None), tmp_path / "a")
    with pytest.raises(DataError, match="no mfxarray metadata"):
        open_parquet(rewritten(tmp_path / "a", None))


def test_images_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Use write_zarr"):
        write_parquet(ions().to_dataset(), tmp_path / "a")


def test_unknown_block_sizes(tmp_path: Path) -> None:
    values = da.arange(20, chunks=5)
    data = xr.Dataset({"v": ("localization", values[values > 3])})
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        write_parquet(data, tmp_path / "a")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        ({"efo_i3": ("localization", np.zeros(10))}, "share the columns"),
        ({"big": ("q", np.zeros(10_000))}, "use write_zarr"),
        ({"c": ("localization", np.zeros(10, "c16"))}, "dtype complex128"),
        ({"m": ("localization", np.array([1] * 10, object))}, "m holds a int"),
        ({"v": ("localization", np.zeros(10), {"bad": np.nan})}, "JSON cannot hold"),
    ],
)
def test_what_a_table_cannot_hold(tmp_path: Path, extra: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        write_parquet(table(10, None).assign(extra), tmp_path / "a")
    assert names(tmp_path) == []


@pytest.mark.cluster
def test_cluster_writes_the_same_bytes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    write_parquet(table(), tmp_path / "threads")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=True, **options) as cluster, cluster.get_client():
        write_parquet(table(), tmp_path / "cluster")
        assert_same(open_parquet(tmp_path / "cluster").compute(), table().compute())
        with pytest.raises(BlockFailedError):
            write_parquet(failing(), tmp_path / "failed")
    assert names(tmp_path) == ["cluster", "threads"]
    for name in names(tmp_path / "threads"):
        expected = (tmp_path / "threads" / name).read_bytes()
        assert (tmp_path / "cluster" / name).read_bytes() == expected


def test_tables_of_ion_images(tmp_path):
    counts = mfx.open_mims(ion_stack(tmp_path))
    image = counts.mims.accumulate()
    cells = image.sel(detector="12C 14N").mims.threshold_regions("otsu", min_pixels=10)
    table = counts.mims.region_table(cells)
    ratio = table.mims.accumulate().mims.ratio("13C", "12C")
    line = image.mims.line_profile((5, 5), (50, 40), width=3)
    profile = counts.mims.depth_profile()
    for name, data, rows in (
        ("frames", table, max(table.sizes["frame"], table.sizes["region"])),
        ("ratio", ratio, table.sizes["region"]),
        ("line", line, line.sizes["distance"]),
        ("depth", profile, counts.sizes["frame"]),
    ):
        data.mims.to_parquet(tmp_path / name)
        xr.testing.assert_identical(mfx.open_parquet(tmp_path / name).load(), data.load())
        assert len(pd.read_parquet(tmp_path / name)) == rows
    with pytest.raises(ValueError, match="write_zarr"):
        image.to_dataset(name="counts").mims.to_parquet(tmp_path / "image")
