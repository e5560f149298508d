"""Archives written byte for byte as the vendor's, and read back by others."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace

import numcodecs.blosc
import numpy as np
import pytest
from numcodecs import Blosc

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.formats.tables import BeadTrack
from mfxarray.formats.zarr.minflux import open_zarr_v2
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.zarr_v2 import write_zarr_v2, zarr_entries

BEADS = (
    BeadTrack("R2", 5, True, np.arange(4.0), np.ones((4, 3)), np.array([1.0, 0, 1, 1])),
    BeadTrack("R10", 9, False, np.arange(3) + 0.5, np.zeros((3, 3)), np.ones(3)),
)


def outgoing(n=2500, dtype=None, block=700, **settings):
    rows = np.zeros(n, flat_record_dtype() if dtype is None else dtype)
    rows["tid"] = np.arange(n) // 7
    rows["tim"] = np.arange(n) * 1e-3
    return rows, Outgoing(
        rows.dtype, n, lambda: (rows[at : at + block] for at in range(0, n, block)), **settings
    )


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "chunk"),
    [("2d_small_v2", 1000), ("3d_small_v2", 1000), ("2d_full_v2", 28910), ("3d_full_v2", 26410)],
)
def test_samples_are_written_byte_for_byte(data_dir, tmp_path, name, chunk):
    folder = data_dir / "minflux" / "derived" / name
    (found,) = open_zarr_v2(folder)
    attrs = json.loads((folder / "zarr" / "mfx" / ".zattrs").read_text())
    data = Outgoing(
        found.rows.dtype,
        found.rows.n_rows,
        lambda: (
            found.rows.read(i, min(i + 777, found.rows.n_rows))
            for i in range(0, found.rows.n_rows, 777)
        ),
        attrs=attrs,
        beads=found.beads.tracks(),
    )
    write_zarr_v2(tmp_path / "out", data, chunk_rows=chunk)
    assert content(tmp_path / "out") == content(folder)


@pytest.mark.parametrize("dtype", [flat_record_dtype(), flat_record_dtype(1), record_dtype(5)])
@pytest.mark.parametrize("chunk", [1, 100, 2500, 4000, None])
@pytest.mark.parametrize("name", ["out", "out.zarr.zip"])
def test_round_trip(tmp_path, dtype, chunk, name):
    n = 40 if chunk == 1 else 2500
    rows, data = outgoing(n, dtype, attrs={"did": "u"}, rois=({"type": "ROI"},))
    write_zarr_v2(tmp_path / name, data, chunk_rows=chunk)
    (found,) = open_zarr_v2(tmp_path / name)
    assert found.rows.dtype == dtype
    assert found.rows.read(0, n).tobytes() == rows.tobytes()
    assert found.attrs["rois"] == [{"type": "ROI"}]
    assert (found.attrs["did"], found.attrs["container_version"]) == ("u", "2.1")
    assert found.beads is None
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("layout", ["m2410", "m2205"])
def test_beads(tmp_path, layout):
    write_zarr_v2(tmp_path / "out", outgoing(beads=BEADS)[1], bead_layout=layout)
    (found,) = open_zarr_v2(tmp_path / "out")
    for bead, wanted in zip(found.beads.tracks(), BEADS, strict=True):
        assert (bead.name, bead.gri, bead.used) == (wanted.name, wanted.gri, wanted.used)
        assert np.array_equal(bead.tim, wanted.tim)
        assert np.array_equal(bead.strength, wanted.strength)
        good = wanted.strength > 0
        assert np.array_equal(bead.position[good], wanted.position[good])
        assert np.isnan(bead.position[~good]).all()


def test_order_of_the_vendor():
    """The order of entries in two_datasets_official_pack.msr."""
    data = outgoing(attrs={"did": "u"}, beads=BEADS)[1]
    entries = list(zarr_entries(data, chunk_rows=2500))
    assert [key for key, _ in entries] == [
        "zarr",
        "zarr/grd",
        "zarr/grd/.zgroup",
        "zarr/grd/mbm",
        "zarr/grd/mbm/.zgroup",
        "zarr/grd/mbm/points",
        "zarr/grd/mbm/points/.zattrs",
        "zarr/grd/mbm/points/0",
        "zarr/grd/mbm/points/.zarray",
        "zarr/.zgroup",
        "zarr/mfx",
        "zarr/mfx/.zattrs",
        "zarr/mfx/0",
        "zarr/mfx/.zarray",
        "zarr/mbm",
        "zarr/mbm/.zgroup",
        "zarr/mbm/.zattrs",
    ]
    folders = {key for key, value in entries if value is None}
    assert folders == {
        "zarr", "zarr/grd", "zarr/grd/mbm", "zarr/grd/mbm/points", "zarr/mfx", "zarr/mbm",
    }  # fmt: skip


def test_chunks_are_plain_blosc_and_always_the_same(monkeypatch):
    """Blosc with several threads writes other bytes every time; we must not."""
    # its own default, which importing zarr turns off
    monkeypatch.setattr(numcodecs.blosc, "use_threads", None)
    rng = np.random.default_rng(1)
    rows = np.zeros(100_000, [("a", "<f8", (12,)), ("b", "u1", (5,))])
    rows["a"] = rng.normal(size=(100_000, 12)).cumsum(0)
    data = Outgoing(rows.dtype, len(rows), lambda: iter([rows]))
    runs = [dict(zarr_entries(data, chunk_rows=100_000))["zarr/mfx/0"] for _ in range(8)]
    assert len(set(runs)) == 1
    assert Blosc().decode(runs[0]) == rows.tobytes()


def test_default_chunks_are_about_a_mebibyte():
    for dtype in (flat_record_dtype(), record_dtype(10)):
        data = Outgoing(dtype, 10**7, lambda: iter([]))
        found = dict(_until_error(zarr_entries(data)))
        assert set(found) == {"zarr", "zarr/.zgroup", "zarr/mfx"}
        entries = dict(zarr_entries(outgoing(20_000, dtype)[1]))
        rows = json.loads(entries["zarr/mfx/.zarray"])["chunks"][0]
        assert 0.9 * 2**20 < rows * dtype.itemsize <= 2**20
    assert json.loads(dict(zarr_entries(outgoing(7)[1]))["zarr/mfx/.zarray"])["chunks"] == [7]


def _until_error(entries):
    with pytest.raises(ValueError, match="hold 0 records"):
        yield from entries


def test_no_rows(tmp_path):
    write_zarr_v2(tmp_path / "out", outgoing(0)[1])
    (found,) = open_zarr_v2(tmp_path / "out")
    assert found.rows.read(0, 0).shape == (0,)


def test_gaps_of_aligned_records_are_left_out(tmp_path):
    aligned = np.dtype([("itr", "<i4"), ("tim", "<f8"), ("tid", "<i2")], align=True)
    rows, data = outgoing(50, aligned)
    write_zarr_v2(tmp_path / "out", data)
    (found,) = open_zarr_v2(tmp_path / "out")
    assert found.rows.dtype.itemsize == 14
    for name in aligned.names:
        assert np.array_equal(found.rows.read(0, 50)[name], rows[name])


def test_targets(tmp_path):
    _, data = outgoing(attrs={"did": "new"})
    target = tmp_path / "out"
    write_zarr_v2(target, outgoing(chunk := 99)[1], chunk_rows=chunk)
    before = content(target)
    with pytest.raises(DataError, match="exists already"):
        write_zarr_v2(target, data)
    assert content(target) == before
    write_zarr_v2(target, data, overwrite=True)
    assert open_zarr_v2(target)[0].attrs["did"] == "new"
    (target / "thesis.txt").write_text("not ours")
    with pytest.raises(DataError, match="more than"):
        write_zarr_v2(target, data, overwrite=True)
    assert (target / "thesis.txt").exists()
    with pytest.raises(DataError, match="does not exist"):
        write_zarr_v2(tmp_path / "absent" / "out", data)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is no folder"):
        write_zarr_v2(tmp_path / "file", data, overwrite=True)
    (tmp_path / "empty").mkdir()
    write_zarr_v2(tmp_path / "empty", data)
    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "out"]


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_failure_leaves_nothing(tmp_path, name):
    rows, data = outgoing()

    def breaks():
        yield rows[:1000]
        raise RuntimeError("the disk of the source is gone")

    with pytest.raises(RuntimeError):
        write_zarr_v2(tmp_path / name, replace(data, blocks=breaks), chunk_rows=100)
    for wrong in (2499, 2501):
        with pytest.raises(ValueError, match="promised"):
            write_zarr_v2(tmp_path / name, replace(data, n_rows=wrong))
    assert os.listdir(tmp_path) == []


def test_wrong_settings(tmp_path):
    _, data = outgoing(5, beads=BEADS)
    with pytest.raises(ValueError, match="chunk_rows"):
        write_zarr_v2(tmp_path / "a", data, chunk_rows=0)
    with pytest.raises(ValueError, match="bead_layout"):
        write_zarr_v2(tmp_path / "a", data, bead_layout="m1999")
    for name in ("../R1", "a/b", ".", "", "/etc", "R10"):
        beads = (replace(BEADS[0], name=name), BEADS[1])
        with pytest.raises(ValueError, match="bead names"):
            write_zarr_v2(tmp_path / "a", replace(data, beads=beads), bead_layout="m2205")
    with pytest.raises(ValueError, match="objects"):
        write_zarr_v2(tmp_path / "a", replace(data, dtype=np.dtype([("a", "O")])))
    assert os.listdir(tmp_path) == []


def test_zip_members_are_stored_and_reproducible(tmp_path):
    data = outgoing(beads=BEADS)[1]
    for name in ("a.zip", "b.zip"):
        write_zarr_v2(tmp_path / name, data)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.testzip() is None
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
        assert "mfx/.zarray" in file.namelist()


def test_the_vendor_packs_it(tmp_path):
    specpy = pytest.importorskip("specpy")
    did = "5b1c30ee-56a8-594a-9cde-c3a847531064"
    rows, data = outgoing(attrs={"did": did}, beads=BEADS)
    write_zarr_v2(tmp_path / "out", data, chunk_rows=1000)
    file = specpy.File(str(tmp_path / "a.msr"), specpy.File.Write)
    file.pack(str(tmp_path / "out"), "P1")
    del file
    file = specpy.File(str(tmp_path / "a.msr"), specpy.File.Read)
    assert [found["did"] for found in file.minflux_datasets()] == [did]
    file.unpack(did, str(tmp_path / "back"))
    assert content(tmp_path / "back") == content(tmp_path / "out")
    assert open_zarr_v2(tmp_path / "back")[0].rows.read(0, 2500).tobytes() == rows.tobytes()
