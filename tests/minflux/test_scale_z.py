"""z is scaled once, lazily, and nothing else is touched."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import mfxarray as mfx
from mfxarray.minflux.scale_z import scale_z
from mfxarray.testing import assert_chunk_invariant, assert_same_bits, raise_if_computes
from tests.samples import four_chunkings, localization_file

FACTORS = st.floats(0, 1e6, exclude_min=True, allow_subnormal=False)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("scale"))


@pytest.fixture(scope="module")
def ds(path):
    return mfx.open_minflux(path, chunk_bytes=300_000)


def beads(**attrs):
    position = np.arange(24.0).reshape(2, 4, 3)
    position[1, 3] = np.nan
    coords = {"bead": ["R1", "R2"], "axis": ["x", "y", "z"]}
    return xr.Dataset({"position": (("bead", "sample", "axis"), position)}, coords, attrs)


def test_only_z_changes(ds):
    with raise_if_computes():
        found = scale_z(ds, 0.7)
    for name in ("position", "position_uncorrected"):
        before, after = ds[name].values, found[name].values
        assert before[..., :2].tobytes() == after[..., :2].tobytes()
        np.testing.assert_array_equal(after[..., 2], before[..., 2] * 0.7)
        assert np.isnan(before).any()
        assert found[name].attrs == ds[name].attrs
        assert found[name].dims == ds[name].dims
        assert found[name].chunks == ds[name].chunks
    rest = ["position", "position_uncorrected"]
    assert_same_bits(found.drop_vars(rest), ds.drop_vars(rest))
    assert ds.attrs["z_scaling"] == 1.0


def test_what_the_result_says(ds):
    found = scale_z(ds, 0.7)
    assert found.attrs["z_scaling"] == 0.7
    assert found.mfx.history[-1]["step"] == "scale_z"
    assert found.mfx.history[-1]["parameters"] == {"factor": 0.7}


@given(FACTORS, FACTORS)
def test_twice_is_always_refused(first, second):
    once = scale_z(beads(), first)
    with pytest.raises(ValueError, match="already scaled") as raised:
        scale_z(once, second)
    assert str(float(first)) in str(raised.value)
    assert f"scale_z(factor={float(first)})" in str(raised.value)


def test_twice_is_refused_after_other_steps(ds):
    once = scale_z(ds, 0.7)
    for data in (once.mfx.filter(efo=(13_000, None)).mfx.compact(), once.mfx.last_iteration()):
        with pytest.raises(ValueError, match=r"0\.7.*open_minflux, scale_z\(factor=0\.7\)"):
            scale_z(data, 0.9)


def test_one_also_counts_as_done(ds):
    with pytest.raises(ValueError, match=r"already scaled by 1\.0"):
        scale_z(scale_z(ds, 1.0), 0.7)
    with pytest.raises(ValueError, match="already"):
        scale_z(scale_z(ds, 1.0).drop_vars("eco").assign_attrs(z_scaling=1.0), 1.0)


def test_either_trace_of_a_scaling_is_enough(ds):
    once = scale_z(ds, 0.7)
    forgotten = once.assign_attrs(z_scaling=1.0)
    with pytest.raises(ValueError, match="scale_z"):
        scale_z(forgotten, 0.7)
    # what a file brings along, as the Goettingen structs do
    with pytest.raises(ValueError, match=r"already scaled by 0\.7 \(history: open_minflux\)"):
        scale_z(ds.assign_attrs(z_scaling=0.7), 0.7)


def test_scaling_survives_a_store(ds, tmp_path):
    scale_z(ds, 0.7).mfx.to_zarr(tmp_path / "scaled.zarr")
    with pytest.raises(ValueError, match="already"):
        scale_z(mfx.open_zarr(tmp_path / "scaled.zarr"), 0.7)


@pytest.mark.parametrize(
    "factor", [0, 0.0, -0.7, np.nan, np.inf, -np.inf, "0.7", None, True, [0.7], 1j]
)
def test_wrong_factors(ds, factor):
    with pytest.raises(ValueError, match="above 0"):
        scale_z(ds, factor)


@pytest.mark.parametrize("factor", [1, 0.66, np.float32(0.5), np.int64(2)])
def test_numbers_of_any_kind(factor):
    found = scale_z(beads(), factor)
    assert found.attrs["z_scaling"] == float(factor)
    assert type(found.attrs["z_scaling"]) is float


def test_beads(ds):
    source = beads(z_scaling=1.0)
    with raise_if_computes():
        found = scale_z(source, 0.5)
    np.testing.assert_array_equal(found["position"], source["position"] * [1, 1, 0.5])


def test_flat_records_and_data_of_one_iteration(ds):
    last = ds.mfx.last_iteration()
    flat = last.rename(localization="record")
    for data in (last, flat):
        wanted = data["position"].values * [1, 1, 0.7]
        np.testing.assert_array_equal(scale_z(data, 0.7)["position"], wanted)


def test_two_dimensions_stay_flat(tmp_path):
    data = mfx.open_minflux(localization_file(tmp_path, dimensions=2))
    found = scale_z(data, 0.7)
    assert_same_bits(found["position"], data["position"])
    assert found.attrs["z_scaling"] == 0.7


def test_axes_are_told_by_their_names():
    data = beads().isel(axis=[2, 0])
    found = scale_z(data, 0.5)
    np.testing.assert_array_equal(found["position"], data["position"] * [0.5, 1])
    unnamed = beads().drop_vars("axis")
    np.testing.assert_array_equal(
        scale_z(unnamed, 0.5)["position"], unnamed["position"] * [1, 1, 0.5]
    )


def test_narrow_positions_stay_narrow():
    data = beads().astype("f4")
    found = scale_z(data, 0.7)["position"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., 2], data["position"][..., 2] * np.float32(0.7))


def test_traces_take_the_scaled_positions(ds):
    table, scaled = ds.mfx.traces(), ds.mfx.scale_z(0.5).mfx.traces()
    np.testing.assert_array_equal(scaled["centroid"][:, :2], table["centroid"][:, :2])
    np.testing.assert_allclose(scaled["centroid"][:, 2], table["centroid"][:, 2] * 0.5)
    assert scaled.attrs["z_scaling"] == 0.5


def test_data_that_xarray_reads_on_demand_stay_unread(path, ds):
    data = xr.open_dataset(path, engine="minflux", chunk_bytes=300_000)
    with raise_if_computes():
        found = scale_z(data, 0.7)
    assert isinstance(found["position"].data, da.Array)
    assert found["position"].chunks == ds["position"].chunks
    np.testing.assert_array_equal(found["position"], scale_z(ds, 0.7)["position"])


def test_every_chunking_gives_the_same(ds):
    chunkings = four_chunkings(ds, "localization")
    assert_chunk_invariant(lambda data: data.mfx.scale_z(0.7), chunkings)
    assert len({str(scale_z(data, 0.7).attrs) for data in chunkings}) == 1


def test_nothing_to_scale(ds):
    for data in (ds.mfx.traces(), xr.Dataset()):
        with pytest.raises(ValueError, match="no position"):
            scale_z(data, 0.7)


@pytest.mark.realdata
def test_the_raw_mean_of_a_real_file(data_dir):
    """The mean z that pyMINFLUX gives for this file without a scaling is -16.1427 nm."""
    data = mfx.open_minflux(data_dir / "minflux" / "3D_ValidOnly.npy")
    found = scale_z(data, 0.7)["position"][:, -1, 2]
    assert float(found.mean()) * 1e9 == pytest.approx(0.7 * -16.142724582070905, rel=1e-12)


def test_what_was_made_from_positions_is_not_scaled_behind_its_back(tmp_path):
    run = mfx.open_minflux(localization_file(tmp_path))
    for name in ("position_registered", "position_drift_corrected", "position_bead_corrected"):
        with pytest.raises(ValueError, match=f"{name} was made from unscaled"):
            run.assign({name: run["position"]}).mfx.scale_z(0.7)
