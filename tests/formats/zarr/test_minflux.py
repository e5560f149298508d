"""The vendor's layout over folders, zips and plain keys; its samples must equal their .npy."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import record_dtype
from mfxarray.formats.zarr.minflux import open_store, open_zarr_v2
from tests.formats.zarr.zarr_samples import (
    POINT,
    archive,
    array_entries,
    flat_rows,
    save_folder,
    store,
)

OLD = np.dtype([("tim", "<f8"), ("pos", "<f8", (3,)), ("str", "<f8"), ("tid", "<i4")])
SAMPLES = [("2d_small_v2", "2d_small_v2"), ("3d_small_v2", "3d_small_v2")]
SAMPLES += [("2d_full_v2", "2d_v2"), ("3d_full_v2", "3d_v2")]


def attrs_of(value):
    return json.dumps(value).encode()


def points(n=60):
    rows = np.zeros(n, POINT)
    rows["gri"] = np.tile([61, 185, 7], n // 3)
    rows["tim"] = np.arange(n)
    rows["xyz"] = np.arange(3 * n).reshape(n, 3) * 1e-9
    rows["str"] = 100
    rows["str"][6] = 0
    return rows


def new_beads(rows=None, chunk=25):
    known = {"61": {"name": "R10", "gri": 61, "stickiness": 1}, "185": {"name": "R2"}}
    known["99"] = {"name": "R3", "gri": 99}
    rows = points() if rows is None else rows
    return {
        **array_entries("grd/mbm/points", rows, chunk, attrs={"points_by_gri": known}),
        "mbm/.zattrs": attrs_of({"used": ["R10", "R77"], "neighbourhood": []}),
    }


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "npy"), SAMPLES)
def test_samples_equal_their_npy(data_dir, name, npy):
    folder = data_dir / "minflux" / "derived"
    wanted = np.load(folder / f"{npy}.npy", allow_pickle=False)
    (found,) = open_zarr_v2(folder / name)
    assert found.rows.dtype == wanted.dtype
    assert found.rows.read(0, found.rows.n_rows).tobytes() == wanted.tobytes()
    facts = json.loads((folder.parent / "facts.json").read_text())[f"derived/{npy}.npy"]
    assert found.rows.n_rows == facts["n_rows"]
    stored = json.loads((folder / name / "zarr" / "mfx" / ".zattrs").read_text())
    assert found.sequence == stored["measurement"]
    assert found.attrs["did"] == stored["did"]
    assert found.attrs["acquisition_date"] == "2024-11-07T11:53:22+01:00"
    assert found.attrs["dimensionality"] == stored["measurement"]["dimensionality"]
    assert (found.container, found.label, found.missing_rows) == ("zarr", "P1", ())
    beads = found.beads.tracks()
    assert [(bead.name, bead.gri, bead.used) for bead in beads] == [
        ("R1", 61, True),
        ("R2", 123, False),
        ("R3", 185, True),
    ]
    assert [bead.tim.size for bead in beads] == [40, 40, 40]
    assert np.array_equal(beads[0].tim, np.arange(40) * 4.0)


@pytest.mark.realdata
def test_zipped_sample_equals_the_folder(data_dir, tmp_path):
    folder = data_dir / "minflux" / "derived" / "2d_small_v2"
    path = tmp_path / "a.zarr.zip"
    with zipfile.ZipFile(path, "w") as file:
        for place in folder.rglob("*"):
            file.write(place, place.relative_to(folder))
    (one,), (two,) = open_zarr_v2(folder), open_zarr_v2(path)
    assert two.container == "zarr zip"
    assert one.rows.read(0, 2504).tobytes() == two.rows.read(0, 2504).tobytes()
    assert (one.attrs, one.sequence) == (two.attrs, two.sequence)


def test_nested_records(tmp_path):
    rows = flat_rows(57, record_dtype(5))
    (found,) = open_zarr_v2(save_folder(tmp_path / "zarr", archive(rows, chunk=10)))
    assert found.rows.dtype == record_dtype(5)
    assert found.rows.read(5, 57).tobytes() == rows[5:].tobytes()
    assert (found.attrs, found.sequence, found.beads) == ({"z_scaling": 1.0}, {}, None)


def test_attributes_of_the_newer_layout():
    roi = {"corners": [[0, 0], [1e-6, 1e-6]], "type": "ROI"}
    nested = {"dimensionality": 3, "threads": json.dumps([{"sequences": [{"id": "a"}]}])}
    entries = archive(attrs={"did": "u", "acquisition_date": "2025", "measurement": nested})
    entries[".zattrs"] = attrs_of({"rois": [roi], "version": "2.1"})
    found = open_store(store(entries), "msr", label="P2")
    assert found.attrs == {
        "z_scaling": 1.0,
        "did": "u",
        "acquisition_date": "2025",
        "rois": [roi],
        "container_version": "2.1",
        "dimensionality": 3,
    }
    assert found.sequence["threads"] == [{"sequences": [{"id": "a"}]}]
    assert (found.container, found.label) == ("msr", "P2")
    json.dumps(found.attrs)
    assert pickle.loads(pickle.dumps(found.rows)).read(0, 3).shape == (3,)


def test_attributes_of_older_and_converted_data():
    found = open_store(store(archive(attrs={"tms": 1.6e9, "fld": {"a": 1}})), "zarr")
    assert found.attrs == {"z_scaling": 1.0, "tms": 1.6e9, "fld": {"a": 1}}
    legacy = {"_seqs": [1], "_lasSelected": 2}
    found = open_store(store(archive(attrs={"_legacy": legacy, "did": 5})), "zarr")
    assert found.sequence == {"_legacy": legacy}
    assert "did" not in found.attrs


def test_beads_of_the_newer_layout():
    found = open_store(store({**archive(), **new_beads()}), "zarr").beads.tracks()
    assert [(bead.name, bead.gri, bead.used) for bead in found] == [
        ("R2", 185, False),
        ("R3", 99, False),
        ("R10", 61, True),
        ("gri7", 7, False),
    ]
    rows = points()
    mine = rows[rows["gri"] == 61]
    r10 = found[2]
    assert np.array_equal(r10.tim, mine["tim"])
    assert np.array_equal(r10.strength, mine["str"])
    assert np.isnan(r10.position[2]).all()
    assert r10.strength[2] == 0
    kept = mine["str"] > 0
    assert np.array_equal(r10.position[kept], mine["xyz"][kept])
    assert found[1].position.shape == (0, 3)


def test_beads_of_the_older_layout():
    entries = archive()
    for number, name in ((2, None), (10, "R10"), (1, "R1")):
        rows = np.zeros(number, OLD)
        rows["pos"], rows["str"], rows["tim"] = number, 1, np.arange(number)
        attrs = None if name is None else {"name": name, "gri": number + 50}
        entries |= array_entries(f"grd/mbm/R{number:02d}", rows, 4, attrs=attrs)
    entries["grd/mbm/.zattrs"] = attrs_of({"used": ["R10"]})
    found = open_store(store(entries), "zarr").beads.tracks()
    names = [(bead.name, bead.gri, bead.used, bead.tim.size) for bead in found]
    assert names == [("R1", 51, False, 1), ("R02", 0, False, 2), ("R10", 60, True, 10)]
    assert (found[2].position == 10).all()


def test_beads_that_share_a_name_are_told_apart():
    beads = new_beads()
    known = {"61": {"name": "R1", "gri": 61}, "185": {"name": "R1", "gri": 185}}
    beads["grd/mbm/points/.zattrs"] = attrs_of({"points_by_gri": known})
    found = open_store(store({**archive(), **beads}), "zarr").beads.tracks()
    assert [bead.name for bead in found] == ["R1 (gri 61)", "R1 (gri 185)", "gri7"]


@pytest.mark.parametrize(
    "known", [None, [], {"x": 1}, {"61": None}, {"-5": {}}, {"61": {"gri": "1e3"}}, {"61": {}}]
)
def test_odd_bead_names(known):
    beads = new_beads()
    beads["grd/mbm/points/.zattrs"] = attrs_of({"points_by_gri": known})
    beads["mbm/.zattrs"] = attrs_of({"used": known})
    found = open_store(store({**archive(), **beads}), "zarr").beads.tracks()
    assert [bead.name for bead in found] == ["gri7", "gri61", "gri185"]


def test_missing_chunks_strict_and_not():
    entries = {**archive(flat_rows(250), chunk=100), **new_beads()}
    del entries["mfx/1"]
    del entries["grd/mbm/points/1"]
    with pytest.raises(DataError, match="mfx/1"):
        open_store(store(entries), "zarr")
    found = open_store(store(entries), "zarr", strict=False)
    assert found.missing_rows == ((100, 200),)
    assert "1 of 3 chunks" in found.warnings[0]
    assert "fill value" in found.warnings[0]
    assert "25 bead samples" in found.warnings[1]
    assert sum(bead.tim.size for bead in found.beads.tracks()) == 35
    assert not found.rows.read(100, 200)["tim"].any()
    entries["mfx/1"] = archive(flat_rows(250), chunk=100)["mfx/1"]
    with pytest.raises(DataError, match="points/1"):
        open_store(store(entries), "zarr")


def test_damaged_side_data_strict_and_not():
    good = {**archive(attrs={"did": "u"}), **new_beads()}
    for key in ("mfx/.zattrs", ".zattrs", "grd/mbm/points/.zarray", "mbm/.zattrs"):
        with pytest.raises(DataError):
            open_store(store({**good, key: b"[1"}), "zarr")
        found = open_store(store({**good, key: b"[1"}), "zarr", strict=False)
        assert len(found.warnings) == 1
        assert found.rows.read(0, 250).tobytes() == flat_rows().tobytes()


def test_what_is_refused():
    with pytest.raises(DataError, match=r"mfx/\.zarray"):
        open_store(store({".zgroup": b"{}"}), "zarr")
    lacking = flat_rows(5)[["tim", "tid"]].astype([("tim", "<f8"), ("tid", "<u4")])
    with pytest.raises(DataError, match="lack the field itr"):
        open_store(store(archive(lacking)), "zarr")
    for field in ("gri", "xyz", "str"):
        rest = [(name, POINT[name]) for name in POINT.names if name != field]
        with pytest.raises(DataError, match=field):
            open_store(store({**archive(), **new_beads(np.zeros(3, rest))}), "zarr")
    huge = {**archive(), **new_beads(np.zeros(3, POINT), chunk=3)}
    huge |= array_entries("grd/mbm/points", np.zeros(3, POINT), 2**24, shape=[2**24])
    with pytest.raises(DataError, match="bead samples"):
        open_store(store(huge), "zarr")
    large = {**archive(), ".zattrs": b" " * (4 * 2**20 + 1)}
    with pytest.raises(DataError, match="too many"):
        open_store(store(large), "zarr")


def test_random_damage(tmp_path):
    good = {**archive(attrs={"did": "u", "measurement": {"threads": []}}), **new_beads()}
    rng = np.random.default_rng(8)
    keys = sorted(good)
    wanted, refused = flat_rows().tobytes(), 0
    for _ in range(300):
        key = keys[rng.integers(len(keys))]
        value = bytearray(good[key])
        if rng.random() < 0.3:
            value = value[: rng.integers(len(value))]
        else:
            value[rng.integers(len(value))] ^= 1 << rng.integers(8)
        try:
            found = open_store(store({**good, key: bytes(value)}), "zarr")
            rows = found.rows.read(0, min(found.rows.n_rows, 1000))
            found.beads.tracks() if found.beads else None
        except DataError:
            refused += 1
            continue
        if not key.startswith("mfx"):
            assert rows.tobytes() == wanted
    assert refused > 100
