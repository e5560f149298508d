"""Tables in memory: numpy's own reading, what pyminflux makes of real files, the Dataset."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.sources import RecordSource
from mfxarray.opening import table
from mfxarray.schema import CFR_NOT_MEASURED
from tests.samples import localization_file, two_data_sets

USUAL = ["tid", "tim", "x", "y", "z", "efo", "cfr", "eco", "dcr", "fbg"]


@pytest.fixture(scope="module", params=[2, 3])
def run(tmp_path_factory, request):
    return localization_file(tmp_path_factory.mktemp("table"), dimensions=request.param)


def by_numpy(path, cfr):
    """Return the table of a nested file without anything of ours."""
    rows = np.load(path)
    last = rows["itr"][:, -1]
    keep = rows["vld"] & np.isfinite(last["loc"]).all(1)
    assert 0 < keep.sum() < len(rows)
    columns = {"tid": rows["tid"], "tim": rows["tim"]}
    columns |= {axis: last["loc"][:, number] for number, axis in enumerate("xyz")}
    columns |= {name: last[name] for name in USUAL[5:]}
    columns["cfr"] = rows["itr"]["cfr"][:, cfr]
    return pd.DataFrame({name: values[keep] for name, values in columns.items()})


@pytest.mark.parametrize("block_bytes", [1, 100_000, 2**30])
def test_table_is_that_of_numpy_however_it_is_cut(run, monkeypatch, block_bytes):
    monkeypatch.setattr(table, "_BLOCK_BYTES", block_bytes)
    found = mfx.read_minflux_table(run)
    # the simulator measures cfr everywhere in 2D, in iterations 2 and 6 in 3D
    wanted = by_numpy(run, 4 if np.load(run)["itr"].shape[1] == 5 else 6)
    assert list(found) == USUAL
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


@pytest.mark.parametrize("model", ["v1", "v2"])
@pytest.mark.parametrize("suffix", ["npy", "mat", "json", "zarr", "msr", "pmx"])
def test_every_container_gives_what_its_dataset_holds(run, tmp_path, suffix, model):
    if suffix == "pmx":
        pytest.importorskip("h5py")
    path = tmp_path / f"run.{suffix}"
    mfx.write_minflux(mfx.open_minflux(run), path, model=model)
    found = mfx.read_minflux_table(path)
    last = mfx.open_minflux(path).mfx.last_iteration().load()
    keep = np.isfinite(last["position"].values).all(1)
    if "vld" in last:
        keep &= last["vld"].values
    position = dict(zip("xyz", last["position"].values.T, strict=True))
    for name in USUAL:
        wanted = position[name] if name in position else last[name].values
        np.testing.assert_array_equal(found[name], wanted[keep], err_msg=name)
        assert found[name].dtype == wanted.dtype
    nested = mfx.read_minflux_table(run)
    np.testing.assert_array_equal(found[["tid", "x", "y", "z"]], nested[["tid", "x", "y", "z"]])


def test_fields_are_those_asked_for(run):
    found = mfx.read_minflux_table(run, fields=["eco", "sky"])
    assert list(found) == ["tid", "tim", "x", "y", "z", "eco", "sky"]
    rows = np.load(run)
    np.testing.assert_array_equal(found["sky"], rows["sky"][rows["vld"]])
    assert list(mfx.read_minflux_table(run, fields=[])) == ["tid", "tim", "x", "y", "z"]


def test_fields_asked_for_twice_or_always_there_come_once(run):
    found = mfx.read_minflux_table(run, fields=["tim", "eco", "vld", "eco"])
    assert list(found) == ["tid", "tim", "x", "y", "z", "eco"]


@pytest.mark.parametrize("name", ["nonsense", "ext", "iteration"])
def test_fields_without_one_number_a_localization_are_refused(run, name):
    with pytest.raises(ValueError, match=name):
        mfx.read_minflux_table(run, fields=[name])


def test_cfr_that_was_never_measured(run, tmp_path):
    rows = np.load(run)
    rows["itr"]["cfr"] = CFR_NOT_MEASURED
    path = tmp_path / "no_cfr.npy"
    np.save(path, rows)
    assert "cfr" not in mfx.read_minflux_table(path)
    with pytest.raises(ValueError, match="measured in no iteration"):
        mfx.read_minflux_table(path, fields=["cfr"])


def test_masked_cfr(run, tmp_path):
    rows = np.load(run)
    rows["itr"]["cfr"][::3] = CFR_NOT_MEASURED
    path = tmp_path / "some_cfr.npy"
    np.save(path, rows)
    plain, masked = (mfx.read_minflux_table(path, masked=on) for on in (False, True))
    unmeasured = plain["cfr"] == CFR_NOT_MEASURED
    assert 0 < unmeasured.sum() < len(plain)
    assert (masked["cfr"].isna() == unmeasured).all()
    pd.testing.assert_frame_equal(masked.fillna(CFR_NOT_MEASURED), plain)


def test_a_file_without_valid_localizations_has_all_columns(run, tmp_path):
    rows = np.load(run)
    rows["vld"] = False
    for name, some in (("invalid", rows), ("empty", rows[:0])):
        path = tmp_path / f"{name}.npy"
        np.save(path, some)
        found = mfx.read_minflux_table(path)
        assert len(found) == 0
        assert {"tid", "tim", "x", "y", "z", "efo", "eco"} <= set(found)


def test_files_without_flags_or_frequencies(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("tid,tim,x,y,z\n1,0.5,10,20,30\n2,0.75,40,50,nan\n3,1.0,70,80,90\n")
    found = mfx.read_minflux_table(path, units="nm")
    assert list(found)[:5] == ["tid", "tim", "x", "y", "z"]
    assert found["tid"].tolist() == [1, 3]
    np.testing.assert_allclose(found["z"], [30e-9, 90e-9], rtol=1e-15)


def test_one_of_several_data_sets(tmp_path):
    path, runs, _ = two_data_sets(tmp_path)
    with pytest.raises(DataError, match="P1"):
        mfx.read_minflux_table(path)
    found = mfx.read_minflux_table(path, dataset="P2")
    assert len(found) == int(runs["P2"]["vld"].sum())


def test_every_record_is_read_once_in_bounded_blocks(run, monkeypatch):
    reads = []
    read = RecordSource.read

    def noted(self, start, stop):
        reads.append((start, stop))
        return read(self, start, stop)

    sampled = mfx.open_minflux(run).sizes["localization"]
    monkeypatch.setattr(table, "_BLOCK_BYTES", 200_000)
    monkeypatch.setattr(table, "_block", with_reads(table._block, RecordSource, noted, monkeypatch))
    mfx.read_minflux_table(run)
    assert sum(stop - start for start, stop in reads) == sampled
    itemsize = np.load(run, mmap_mode="r").dtype.itemsize
    assert max(stop - start for start, stop in reads) * itemsize <= 200_000


def with_reads(block, source, noted, monkeypatch):
    """Return ``_block`` that notes reads; what opening samples is not noted."""

    def noting(*arguments):
        monkeypatch.setattr(source, "read", noted)
        return block(*arguments)

    return noting


def test_truncated_files_are_refused(run, tmp_path):
    whole = run.read_bytes()
    for share in (0.0, 0.001, 0.3, 0.999):
        path = tmp_path / "cut.npy"
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError):
            mfx.read_minflux_table(path)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D_ValidOnly.npy", "3D_ValidOnly.npy"])
def test_real_files_are_what_pyminflux_made_of_them(data_dir, name):
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[name]["pyminflux_0.7.0"]
    found = mfx.read_minflux_table(data_dir / "minflux" / name)
    assert len(found) == facts["rows_processed"]
    assert found["tid"].nunique() == facts["n_tid"]
    assert found["eco"].sum() == facts["sum_eco"]
    assert found["cfr"].nunique() == facts["n_unique_cfr"]
    mean = found[["x", "y", "z"]].mean() * 1e9
    np.testing.assert_allclose(mean, facts["mean_xyz_nm"], rtol=1e-12)
