"""MINFLUX files to Datasets: their shape, the tree, the real files."""

from __future__ import annotations

import hashlib
import json

import dask
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.sources import RecordSource
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import raise_if_computes
from tests.samples import localization_file, two_data_sets


def sha256(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("opening"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return two_data_sets(tmp_path_factory.mktemp("pair"))


def test_localizations_have_the_schema(run):
    with raise_if_computes():
        ds = mfx.open_minflux(run)
    assert dict(ds.sizes) == {"localization": 3000, "iteration": 10, "axis": 3}
    assert set(ds.coords) == {"tid", "tim", "iteration", "axis"}
    assert ds["position"].dims == ("localization", "iteration", "axis")
    assert ds["position"].attrs["source_name"] == "loc"
    assert ds["position"].attrs["units"] == "m"
    assert ds["axis"].values.tolist() == ["x", "y", "z"]
    assert ds["tid"].dtype == np.int32
    assert json.loads(json.dumps(ds.attrs)) == ds.attrs


def test_values_are_those_of_numpy(run):
    rows = np.load(run)
    ds = mfx.open_minflux(run, chunk_bytes=200_000).compute()
    for name, variable in ds.data_vars.items():
        source = variable.attrs["source_name"]
        wanted = rows["itr"][source] if "iteration" in variable.dims else rows[source]
        np.testing.assert_array_equal(variable, wanted, err_msg=str(name))
        assert variable.dtype == wanted.dtype


def test_chunks_are_cut_at_trace_bounds(run):
    ds = mfx.open_minflux(run, chunk_bytes=200_000)
    cuts = np.cumsum(ds.chunks["localization"])[:-1]
    tid = ds["tid"].values
    assert len(cuts) > 10
    assert (tid[cuts] != tid[cuts - 1]).all()


def test_masked_means_nan(run):
    raw, masked = mfx.open_minflux(run)["cfr"].values, mfx.open_minflux(run, masked=True)["cfr"]
    unmeasured = raw == CFR_NOT_MEASURED
    assert unmeasured.any()
    np.testing.assert_array_equal(np.isnan(masked), unmeasured | np.isnan(raw))


def test_raw_and_masked_of_one_file_in_one_graph(run):
    raw, masked = mfx.open_minflux(run)["cfr"], mfx.open_minflux(run, masked=True)["cfr"]
    together = dask.compute(raw, masked)
    np.testing.assert_array_equal(together[0], raw.values)
    np.testing.assert_array_equal(together[1], masked.values)
    assert np.isnan(together[1]).sum() > np.isnan(together[0]).sum()


def test_all_fields_of_a_block_come_from_one_read(run, monkeypatch):
    reads = []
    read = RecordSource.read
    monkeypatch.setattr(
        RecordSource, "read", lambda self, *rows: reads.append(rows) or read(self, *rows)
    )
    ds = mfx.open_minflux(run, chunk_bytes=200_000)
    reads.clear()
    dask.compute(ds, scheduler="sync")
    assert len(reads) == len(ds.chunks["localization"])


def test_a_file_that_changes_is_refused(tmp_path):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 10)
    with pytest.raises(DataError, match="changed on disk"):
        ds["efo"].compute()


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    ["2D_ValidOnly.npy", "3D_ValidOnly.npy", "derived/2d_small_v1.npy", "derived/3d_small_v1.npy"],
)
def test_real_localizations(data_dir, name):
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[name]
    ds = mfx.open_minflux(data_dir / "minflux" / name, chunk_bytes=1_000_000)
    assert ds.sizes["localization"] == facts["n_rows"]
    assert ds.sizes["iteration"] == facts["n_iterations"]
    assert ds.attrs["cfr_iteration"] == facts["pyminflux_0.7.0"]["cfr_index"]
    position = ds["position"][:, -1].values
    assert sha256(position[ds["vld"].values]) == facts["sha256_loc_last_valid"]
    assert ds["eco"].sum("localization").values.tolist() == facts["eco_sum_per_iteration"]
    measured = np.isfinite(ds["position"]).all("axis").sum("localization")
    assert measured.values.tolist() == facts["measured_per_iteration"]
    table = ds.mfx.traces().compute()
    assert table.sizes["trace"] == facts["n_traces_valid"]
    assert int(table["n"].sum()) == facts["n_valid"]


def test_tree_of_all_data_sets(pair):
    path, runs, beads = pair
    with raise_if_computes():
        tree = mfx.open_minflux_tree(path)
    assert list(tree.children) == ["P1", "P2"]
    for label, run in runs.items():
        found = tree[f"{label}/localizations"].to_dataset()
        valid = run.vld.values & np.isfinite(run.position.values[:, -1, 0])
        assert found.sizes["localization"] == valid.sum()
        np.testing.assert_array_equal(found.position[:, -1], run.position.values[valid, -1])
        np.testing.assert_array_equal(found.tid, run.tid.values[valid])
        xr.testing.assert_identical(found, mfx.open_minflux(path, dataset=label))
    assert "beads" not in tree["P2"].children
    found = tree["P1/beads"].to_dataset()
    assert found.bead.values.tolist() == ["R2", "R10"]
    assert found.used.values.tolist() == [True, False]
    assert found.gri.values.tolist() == [61, 7]
    failed = beads.str.values == 0
    assert failed.sum() == 2
    assert np.isnan(found.position.values[failed]).all()
    np.testing.assert_array_equal(found.position.values[~failed], beads.position.values[~failed])
    np.testing.assert_allclose(found.tim, beads.tim, rtol=1e-7)


def test_list_reads_no_records(pair, monkeypatch):
    path, _, _ = pair
    monkeypatch.setattr("mfxarray.formats.zarr.v2.ZarrTable.read", None)
    table = mfx.list_minflux(path)
    assert table.index.tolist() == ["P1", "P2"]
    assert table["beads"].tolist() == [True, False]
    assert table["model"].tolist() == ["v2 flat"] * 2
    assert table["records"].dtype == "Int64"
    assert (table["records"] > 2000).all()


def test_a_data_set_must_be_named(pair):
    path, _, _ = pair
    with pytest.raises(DataError, match=r"holds 2 data sets: 'P1', 'P2'"):
        mfx.open_minflux(path)
    with pytest.raises(DataError, match=r"no data set 'P7'.*'P1', 'P2'"):
        mfx.open_minflux(path, dataset="P7")
    with pytest.raises(ValueError, match="view must be"):
        mfx.open_minflux(path, dataset="P1", view="some")
    with pytest.raises(ValueError, match="has its own units"):
        mfx.open_minflux(path, dataset="P1", units="nm")


def test_flat_records_and_both_views(pair):
    path, runs, _ = pair
    flat = mfx.open_minflux(path, dataset="P1", records=True)
    assert flat.position.dims == ("record", "axis")
    executed = np.isfinite(runs["P1"].position.values[..., 0])
    assert flat.sizes["record"] == executed.sum()
    every = mfx.open_minflux(path, dataset="P1", view="all")
    valid = mfx.open_minflux(path, dataset="P1")
    assert every.sizes["localization"] > valid.sizes["localization"]
    assert bool(valid.vld.all())
    assert not bool(every.vld.all())


@pytest.mark.parametrize("name", ["run.mat", "run.json", "run.zarr", "run.zarr.zip", "run.msr"])
@pytest.mark.parametrize("model", ["v1", "v2"])
def test_every_container_gives_the_same_lazily(tmp_path, name, model):
    mfx.simulate_minflux(tmp_path / "run.npy", localizations=1500, seed=3)
    source = mfx.open_minflux(tmp_path / "run.npy")
    mfx.write_minflux(source, tmp_path / f"{model}.npy", model=model)
    mfx.write_minflux(source, tmp_path / name, model=model)
    with raise_if_computes():
        found = mfx.open_minflux(tmp_path / name, chunk_bytes=200_000)
    expected = mfx.open_minflux(tmp_path / f"{model}.npy")
    assert found.sizes == expected.sizes
    for field in expected.variables:
        np.testing.assert_array_equal(found[field], expected[field], err_msg=str(field))
    assert found.position.data.numblocks[0] > 1 or "json" in name or "zarr" in name
    lazy = xr.open_dataset(tmp_path / name, engine="minflux", chunk_bytes=200_000)
    xr.testing.assert_identical(
        lazy.isel(localization=slice(90, 700, 3)).load(),
        found.isel(localization=slice(90, 700, 3)).load(),
    )


def test_a_truncated_file_is_opened_only_on_request(tmp_path):
    mfx.simulate_minflux(tmp_path / "run.npy", localizations=500, seed=3)
    whole = mfx.open_minflux(tmp_path / "run.npy").compute()
    data = (tmp_path / "run.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="truncated"):
        mfx.open_minflux(tmp_path / "cut.npy")
    with pytest.warns(UserWarning, match="truncated"):
        part = mfx.open_minflux(tmp_path / "cut.npy", strict=False)
    n = part.sizes["localization"]
    assert 200 < n < 250
    assert part.attrs["missing_rows"] == [[n, 500]]
    np.testing.assert_array_equal(part.tid, whole.tid[:n])
