"""Datasets back to records: the very bytes that were read, a few blocks at a time."""

from __future__ import annotations

import json
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.testing import count_computes, raise_if_computes
from mfxarray.writers.convert_records import flatten
from mfxarray.writers.datasets import bead_tracks_of, outgoing, outgoing_all
from mfxarray.writers.nest_records import nest
from mfxarray.writers.npy import write_npy
from mfxarray.writers.packing import Packed
from mfxarray.writers.record_layout import Column, parse_descr, record_of
from tests.samples import four_chunkings, localization_file
from tests.writers.record_files import as_dataset, flat, nested, same_bytes

K1 = record_dtype(1)


@pytest.fixture(autouse=True)
def _caches_apart(tmp_path: Path):
    (tmp_path / "cache").mkdir()
    with mfx.set_options(cache_folder=str(tmp_path / "cache")):
        yield


def rows_of(ds: xr.Dataset, **settings) -> np.ndarray:
    found = outgoing(ds, **settings)
    blocks = list(found.blocks())
    assert all(block.dtype == found.dtype for block in blocks)
    # np.concatenate would turn the byte order around
    rows = np.frombuffer(b"".join(block.tobytes() for block in blocks), found.dtype)
    assert len(rows) == found.n_rows
    return rows


def saved(folder: Path, rows: np.ndarray, name: str = "a.npy") -> Path:
    np.save(folder / name, rows)
    return folder / name


@pytest.mark.parametrize("dimensions", [2, 3])
def test_simulated_file_comes_back(tmp_path: Path, dimensions: int):
    path = localization_file(tmp_path, dimensions=dimensions)
    for number, ds in enumerate(four_chunkings(mfx.open_minflux(path), "localization")):
        again = tmp_path / f"again{number}.npy"
        write_npy(again, outgoing(ds))
        assert same_bytes(path, again)


def test_nothing_computed_before_the_blocks(tmp_path: Path):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path, chunk_bytes=500_000)
    with raise_if_computes():
        found = outgoing(ds)
        blocks = found.blocks()
        with pytest.raises(AssertionError, match="must stay lazy"):
            next(blocks)
    whole = np.load(path)
    np.testing.assert_array_equal(whole["tid"], np.concatenate(list(found.blocks()))["tid"])
    # again, for writers of two passes
    assert sum(map(len, found.blocks())) == len(whole)


def test_a_few_blocks_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path, chunk_bytes=500_000)
    monkeypatch.setattr("mfxarray.writers.packing._BYTES_AT_ONCE", 1_200_000)
    with count_computes() as made:
        sizes = [block.nbytes for block in outgoing(ds).blocks()]
    assert len(sizes) > 8
    assert len(made) >= sum(sizes) / 1_200_000
    assert max(sizes) < 1_200_000
    with count_computes() as made:
        next(outgoing(ds).blocks())
    assert len(made) == 1


def test_one_read_of_the_records_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mfxarray.formats.sources import RecordSource

    path = localization_file(tmp_path)
    reads: list[int] = []
    read = RecordSource.read

    def counted(self: RecordSource, start: int, stop: int) -> np.ndarray:
        reads.append(stop - start)
        return read(self, start, stop)

    monkeypatch.setattr(RecordSource, "read", counted)
    ds = mfx.open_minflux(path, chunk_bytes=500_000)
    reads.clear()
    with dask.config.set(scheduler="synchronous"):
        n = sum(map(len, outgoing(ds).blocks()))
    assert sum(reads) == n


def test_arrays_in_memory_and_lazy_ones(tmp_path: Path):
    path = localization_file(tmp_path)
    expected = np.load(path)
    for ds in (mfx.open_minflux(path).load(), xr.open_dataset(path, engine="minflux")):
        with mfx.set_options(chunk_bytes=700_000):
            found = outgoing(ds)
            blocks = list(found.blocks())
        assert len(blocks) > 5
        assert np.concatenate(blocks).tobytes() == expected.tobytes()


def test_other_order_types_and_fields_of_a_file(tmp_path: Path):
    inner = [("loc", ">f8", (3,)), ("odd", "<i2", (2, 2)), ("cfr", "<f2"), ("itr", "<u2")]
    box = [("deep", "<u2", (4,)), ("f", "S3")]
    dtype = np.dtype(
        [("vld", "?"), ("tid", "<u4"), ("box", box, (2,)), ("itr", inner, (3,)), ("tim", "<f4")]
    )
    raw = np.random.default_rng(0).integers(1, 100, 50 * dtype.itemsize, np.uint8)
    rows = raw.view(dtype).copy()
    rows["vld"], rows["itr"]["itr"] = True, np.arange(3)
    path = saved(tmp_path, rows)
    ds = mfx.open_minflux(path, chunk_bytes=2_000)
    if ds["box_f"].dtype.kind != "S":
        pytest.skip("text fields are read as something else")
    found = rows_of(ds)
    assert found.dtype == dtype
    assert found.tobytes() == rows.tobytes()


def test_sealed_stores_keep_the_way_back(tmp_path: Path):
    path = localization_file(tmp_path)
    mfx.open_minflux(path).mfx.to_zarr(tmp_path / "store.zarr")
    found = rows_of(mfx.open_zarr(tmp_path / "store.zarr"))
    assert found.tobytes() == np.load(path).tobytes()


def test_compacted_rows(tmp_path: Path):
    path = localization_file(tmp_path)
    filtered = mfx.open_minflux(path, chunk_bytes=500_000).mfx.filter(eco=(60, None))
    rows = np.load(path)
    keep = rows["vld"] & (rows["itr"]["eco"][:, -1] >= 60)
    assert 0 < keep.sum() < len(rows)
    with pytest.warns(UserWarning, match="call ds.mfx.compact"):
        assert rows_of(filtered).tobytes() == rows.tobytes()
    assert rows_of(filtered.mfx.compact()).tobytes() == rows[keep].tobytes()


def test_derived_variables_stay_out_and_dropped_ones_too(tmp_path: Path):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path).drop_vars(["gvx", "dos"]).assign(mine=("localization", [1] * 3000))
    found = rows_of(ds)
    assert "dos" not in found.dtype.names
    assert "mine" not in found.dtype.names
    assert "gvx" not in found.dtype["itr"].base.names
    np.testing.assert_array_equal(found["itr"]["loc"], np.load(path)["itr"]["loc"])


def test_last_iteration_is_a_sequence_of_one(tmp_path: Path):
    path = localization_file(tmp_path)
    rows = np.load(path)
    found = rows_of(mfx.open_minflux(path).mfx.last_iteration())
    assert found.dtype == K1
    np.testing.assert_array_equal(found["itr"]["loc"][:, 0], rows["itr"]["loc"][:, -1])
    assert (found["itr"]["itr"] == rows["itr"]["itr"][:, -1:]).all()
    np.testing.assert_array_equal(found["tid"], rows["tid"])


def test_the_mark_of_unmeasured_ratios_comes_back(tmp_path: Path):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path, masked=True)
    assert np.isnan(ds["cfr"].values).any()
    assert rows_of(ds).tobytes() == np.load(path).tobytes()


def test_aggregated_zeros_come_back(tmp_path: Path):
    rows = np.zeros(20, K1)
    rows["itr"]["itr"], rows["vld"], rows["tid"] = 4, True, np.arange(20) // 3
    rows["itr"]["loc"] = np.random.default_rng(0).random((20, 1, 3))
    ds = mfx.open_minflux(saved(tmp_path, rows))
    assert "position_uncorrected" not in ds
    assert rows_of(ds).tobytes() == rows.tobytes()
    assert np.isnan(rows_of(ds, model="v2")["lnc"]).all()


@pytest.mark.parametrize("chunks", [None, 1, 7, 40])
def test_flat_records(chunks: int | None):
    rows = flat()
    ds = as_dataset(rows, chunks)
    assert rows_of(ds).tobytes() == rows.tobytes()
    shuffled = ds[sorted(ds.data_vars)]
    assert rows_of(shuffled).tobytes() == rows.tobytes()  # the vendor's order
    backwards = list(reversed(rows.dtype.names))
    text = json.dumps([_entry(rows.dtype, name) for name in backwards])
    found = rows_of(ds.assign_attrs(source_dtype=text))
    assert found.dtype.names == tuple(backwards)
    np.testing.assert_array_equal(found[list(rows.dtype.names)], rows)


def _entry(dtype: np.dtype, name: str) -> list:
    shape = list(dtype[name].shape)
    return [name, dtype[name].base.str, *([shape] if shape else [])]


@pytest.mark.parametrize("chunks", [1, 5, 1000])
def test_models_change_in_any_chunks(chunks: int):
    rows = nested(repeat=4)
    records = flatten(rows)
    ds = as_dataset(records, chunks)
    assert rows_of(ds, model="v1").tobytes() == nest(records, 5).tobytes()


def test_nested_file_as_flat_one(tmp_path: Path):
    path = localization_file(tmp_path)
    expected = flatten(np.load(path))
    for ds in four_chunkings(mfx.open_minflux(path), "localization"):
        assert rows_of(ds, model="v2").tobytes() == expected.tobytes()


def test_flat_file_through_every_view(tmp_path: Path):
    rows = nested(repeat=30)
    records = flatten(rows)
    path = saved(tmp_path, records)
    assert rows_of(mfx.open_minflux(path, records=True)).tobytes() == records.tobytes()
    valid = records[records["vld"]]
    for ds in four_chunkings(mfx.open_minflux(path), "localization"):
        assert rows_of(ds).tobytes() == valid.tobytes()
        assert rows_of(ds, model="v1").tobytes() == nest(valid, 5).tobytes()
    everything = rows_of(mfx.open_minflux(path, view="all"))
    for name in everything.dtype.names:
        np.testing.assert_array_equal(everything[name], records[name], err_msg=name)


def test_dropped_fields_of_regrouped_records(tmp_path: Path):
    path = saved(tmp_path, flatten(nested(repeat=3)))
    found = rows_of(mfx.open_minflux(path).drop_vars("position_uncorrected"))
    assert "lnc" not in found.dtype.names
    assert found.dtype.names[:4] == ("vld", "fnl", "bot", "eot")


def test_interleaved_threads_cannot_be_streamed():
    records = flatten(nested())
    records["thi"][::2] = 1
    with pytest.raises(ValueError, match="several threads"):
        outgoing(as_dataset(records), model="v1")


def test_attributes(tmp_path: Path):
    ds = mfx.open_minflux(localization_file(tmp_path))
    roi = {"corners": [[0, 0], [1, 1]], "type": "ROI"}
    measurement = {"dimensionality": 2, "threads": []}
    facts = {"did": "abc", "acquisition_date": "2024", "rois": [roi], "data_set": "P7"}
    for change in (
        {"measurement": measurement, "rois": [roi]},
        {"measurement": json.dumps(measurement), "rois": json.dumps([roi])},
    ):
        found = outgoing(ds.assign_attrs({**facts, **change}))
        assert found.attrs == {
            "did": "abc",
            "acquisition_date": "2024",
            "measurement": measurement,
        }
        assert found.rois == (roi,)
        assert found.label == "P7"
    assert outgoing(ds, label="P2").label == "P2"
    for wrong in ({"measurement": "{"}, {"rois": "3"}, {"source_dtype": "[["}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            outgoing(ds.assign_attrs(wrong))


def test_scaled_z_is_refused(tmp_path: Path):
    ds = mfx.open_minflux(localization_file(tmp_path)).assign_attrs(z_scaling=0.7)
    with pytest.raises(ValueError, match=r"scaled by 0\.7.*allow_scaled=True"):
        outgoing(ds)
    assert outgoing(ds, allow_scaled=True).n_rows == 3000


def test_refused_datasets(tmp_path: Path):
    ds = mfx.open_minflux(localization_file(tmp_path))
    with pytest.raises(ValueError, match='must be "v1" or "v2"'):
        outgoing(ds, model="v3")
    with pytest.raises(ValueError, match="fields loc, which"):
        outgoing(ds.drop_vars("position"))
    with pytest.raises(ValueError, match="dimensions trace"):
        outgoing(xr.Dataset({"n": ("trace", [1])}))
    broken = ds["eco"].copy(data=np.full(ds["eco"].shape, 0.5)).assign_attrs(ds["eco"].attrs)
    with pytest.raises(ValueError, match=r"itr\.eco holds fractions"):
        rows_of(ds.assign(eco=broken))
    twice = ds.assign(other=ds["efo"].assign_attrs(source_name="itr.eco"))
    with pytest.raises(ValueError, match=r"two variables go to the field itr\.eco"):
        outgoing(twice)
    unknown = ds["tid"].data[da.from_array(np.ones(3000, bool))]
    odd = xr.Dataset({"tid": ("record", unknown, {"source_name": "tid"})})
    with pytest.raises(ValueError, match=r"loc, tim|unknown sizes"):
        outgoing(odd)


def test_beads_lose_their_padding():
    nan = np.nan
    position = np.arange(18.0).reshape(2, 3, 3)
    beads = xr.Dataset(
        {
            "position": (("bead", "sample", "axis"), position),
            "str": (("bead", "sample"), [[1.0, 0.0, 2.0], [3.0, nan, nan]]),
        },
        coords={
            "bead": np.array(["R1", "R11"], object),
            "gri": ("bead", [61, 123]),
            "used": ("bead", [True, False]),
            "tim": (("bead", "sample"), [[0.0, 4.0, 8.0], [0.0, nan, nan]]),
        },
    )
    first, second = bead_tracks_of(beads.transpose("sample", "bead", "axis"))
    assert (first.name, first.gri, first.used) == ("R1", 61, True)
    assert first.strength.tolist() == [1, 0, 2]
    assert (second.name, second.used, second.tim.tolist()) == ("R11", False, [0.0])
    np.testing.assert_array_equal(second.position, position[1, :1])
    with pytest.raises(ValueError, match="lack str"):
        bead_tracks_of(beads.drop_vars("str"))
    ds = as_dataset(flat())
    facts = xr.Dataset(attrs={"did": "abc"})
    nodes = {"/P3": facts, "/P4": ds, "/P3/localizations": ds, "/P3/beads": beads}
    tree = xr.DataTree.from_dict(nodes)
    three, four = outgoing_all(tree)
    assert (three.label, four.label) == ("P3", "P4")
    assert (len(three.beads), len(four.beads)) == (2, 0)
    assert three.attrs == {"did": "abc"}
    with pytest.raises(ValueError, match="no localizations"):
        outgoing_all(xr.DataTree())


def test_empty_dataset(tmp_path: Path):
    for rows in (nested()[:0], flatten(nested())[:0]):
        ds = as_dataset(rows) if "fnl" in rows.dtype.names else None
        ds = mfx.open_minflux(saved(tmp_path, rows)) if ds is None else ds
        assert rows_of(ds).dtype == rows.dtype


@pytest.mark.parametrize(
    "descr",
    [
        [],
        [["a"]],
        [["a", "O"]],
        [[1, "<i4"]],
        "x",
        [["a", [["b", []]]]],
        [["", 3]],
        [["a", "<f8", [-1]]],
        [["a", "<f8", 2]],
        [["a", "zz"]],
    ],
)
def test_hostile_descriptions(descr):
    with pytest.raises(ValueError, match="source_dtype"):
        parse_descr(descr)


def test_record_layout():
    columns = [Column(("tid",), np.dtype("i4")), Column(("itr", "x"), np.dtype("f8"), (5, 3))]
    dtype = record_of(columns, flat_record_dtype())
    assert dtype.names == ("tid", "itr")
    assert dtype["itr"].shape == (5,)
    assert parse_descr([["a", [["b", "<f2", [2]]], [5]]]) == np.dtype(
        [("a", [("b", "<f2", (2,))], (5,))]
    )
    assert Packed.__dataclass_params__.frozen


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D_ValidOnly.npy", "3D_ValidOnly.npy"])
def test_vendor_files_come_back(tmp_path: Path, data_dir: Path, name: str):
    path = data_dir / "minflux" / name
    for number, ds in enumerate(four_chunkings(mfx.open_minflux(path), "localization")):
        write_npy(tmp_path / f"{number}.npy", outgoing(ds))
        assert same_bytes(path, tmp_path / f"{number}.npy")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_v2.npy", "3d_v2.npy"])
def test_flat_files_come_back(tmp_path: Path, data_dir: Path, name: str):
    path = data_dir / "minflux" / "derived" / name
    rows = np.load(path)
    assert rows_of(mfx.open_minflux(path, records=True)).tobytes() == rows.tobytes()
    assert rows_of(mfx.open_minflux(path)).tobytes() == rows.tobytes()
