"""Opening both instruments: the Dataset's shape, the engines of xarray, the real files."""

from __future__ import annotations

import hashlib
import json

import dask
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.engines import MimsBackendEntrypoint, MinfluxBackendEntrypoint
from mfxarray.errors import DataError
from mfxarray.formats.sources import RecordSource, StackSource
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import raise_if_computes
from tests.samples import ion_stack, localization_file


def sha256(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return ion_stack(tmp_path_factory.mktemp("engines"))


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


@pytest.mark.parametrize("masked", [False, True])
def test_the_engine_gives_the_same(run, masked):
    ours = mfx.open_minflux(run, chunk_bytes=200_000, masked=masked)
    options = {"engine": "minflux", "chunk_bytes": 200_000, "masked": masked}
    chunked = xr.open_dataset(run, chunks={}, **options)
    assert chunked.chunks == ours.chunks
    xr.testing.assert_identical(chunked, ours)
    xr.testing.assert_identical(xr.open_dataset(run, **options), ours)


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


def test_lazy_arrays_index_as_numpy(run):
    lazy = xr.open_dataset(run, engine="minflux")
    whole = np.load(run)["itr"]["loc"]
    for key in [3, slice(5, 900, 7), slice(None, None, -3), slice(10, 10), [5, 2, 2]]:
        np.testing.assert_array_equal(lazy["position"][key].values, whole[key])
    np.testing.assert_array_equal(lazy["position"][-1, 2:, 0], whole[-1, 2:, 0])


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


def test_drop_variables(run):
    assert "efc" not in xr.open_dataset(run, engine="minflux", drop_variables=["efc"])


def test_ion_images_have_the_schema(stack):
    with raise_if_computes():
        ions = mfx.open_mims(stack)
    assert ions.dims == ("frame", "detector", "y", "x")
    assert ions.shape == (20, 7, 64, 64)
    assert ions.name == "counts"
    assert len(set(ions["detector"].values)) == 7
    assert ions["x"].attrs["units"] == "µm"
    assert ions.attrs["units"] == "counts"
    assert json.loads(json.dumps(ions.attrs)) == ions.attrs


def test_the_mims_engine_gives_the_same(stack):
    ours = mfx.open_mims(stack, chunk_bytes=300_000)
    options = {"engine": "mims", "chunk_bytes": 300_000}
    chunked = xr.open_dataarray(stack, chunks={}, **options)
    assert chunked.chunks == ours.chunks
    xr.testing.assert_identical(chunked.compute(), ours.compute())
    lazy = xr.open_dataarray(stack, **options)
    np.testing.assert_array_equal(lazy[3:17:5, 2, ::-1], ours[3:17:5, 2, ::-1])


def test_roll(stack):
    plain, rolled = mfx.open_mims(stack).values, mfx.open_mims(stack, roll="seed").values
    np.testing.assert_array_equal(rolled, np.roll(plain, (1, 1), (2, 3)))


def test_one_frame_reads_one_frame(stack, monkeypatch):
    reads = []
    read = StackSource.read
    monkeypatch.setattr(
        StackSource, "read", lambda self, *rows: reads.append(rows) or read(self, *rows)
    )
    ions = mfx.open_mims(stack, chunk_bytes=1)
    reads.clear()
    ions[7].compute(scheduler="sync")
    assert reads == [(7, 8)]


def test_options_set_the_chunks(run, stack):
    with mfx.set_options(chunk_bytes=100_000):
        assert len(mfx.open_minflux(run).chunks["localization"]) > 20
        assert len(mfx.open_mims(stack).chunks[0]) == 20


def test_xarray_guesses_the_engine(run, stack, tmp_path):
    assert MinfluxBackendEntrypoint().guess_can_open(run)
    assert not MinfluxBackendEntrypoint().guess_can_open(stack)
    assert MimsBackendEntrypoint().guess_can_open(stack)
    assert not MimsBackendEntrypoint().guess_can_open(tmp_path / "absent")
    assert xr.open_dataset(run).sizes["localization"] == 3000


def test_a_file_that_changes_is_refused(tmp_path):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 10)
    with pytest.raises(DataError, match="changed on disk"):
        ds["efo"].compute()


def test_wrong_files(run, stack, tmp_path):
    with pytest.raises(DataError):
        mfx.open_minflux(stack)
    with pytest.raises(DataError):
        mfx.open_mims(run)
    with pytest.raises(DataError, match="cannot be opened"):
        mfx.open_minflux(tmp_path / "absent.npy")


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


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["RTIimage.im", "image sun.im"])
def test_real_ion_images(data_dir, name):
    facts = json.loads((data_dir / "mims" / "facts.json").read_text())[name]["data"]
    ions = mfx.open_mims(data_dir / "mims" / name, chunk_bytes=600_000)
    assert list(ions.shape) == facts["shape_frame_detector_y_x"]
    assert ions.sum(("frame", "y", "x")).values.tolist() == facts["total_per_detector"]
    assert sha256(ions.values.astype("<i4")) == facts["sha256_i4le_fdyx_unrolled"]
    rolled = mfx.open_mims(data_dir / "mims" / name, roll=(1, 1)).values
    assert sha256(rolled.astype("<i4")) == facts["sha256_i4le_fdyx_rolled_p1p1"]
    size = float(ions["x"][1] - ions["x"][0]) * 1000
    assert size == pytest.approx(facts["pixel_size_nm_double_raster"], rel=1e-9)


@pytest.mark.realdata
def test_the_ten_synthetic_stacks(data_dir):
    folder = data_dir / "mims" / "synthetic"
    files = json.loads((data_dir / "mims" / "openformat_golden.json").read_text())["files"]
    assert len(files) == 10
    for name, facts in files.items():
        if name.startswith(("s8", "s9")):
            with pytest.warns(UserWarning, match=r"frames|planes"):
                ions = mfx.open_mims(folder / name)
        else:
            ions = mfx.open_mims(folder / name)
        assert list(ions.shape) == facts["shape_fdyx"]
        assert sha256(ions.values.astype("<i4")) == facts["sha256_i4le_fdyx"]
