"""The same measurement in every container gives the same Dataset."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError

FAMILIES = ("2d_small", "3d_small")
# where the text of a container rounds: relative to the type that the record stores
STORED = {np.dtype("f4"): 2.0**-23, np.dtype("f8"): 0.0}


def minflux(data_dir: Path, name: str) -> Path:
    return data_dir / "minflux" / "derived" / name


def opened(path: Path, **options) -> xr.Dataset:
    return mfx.open_minflux(path, **options).compute()


def assert_same(found: xr.Dataset, expected: xr.Dataset) -> None:
    """Compare all variables: ids, counts and flags exactly, floats to their stored width."""
    assert set(found.variables) == set(expected.variables)
    assert dict(found.sizes) == dict(expected.sizes)
    for name, variable in expected.variables.items():
        other = found[name].variable
        assert other.dims == variable.dims, name
        if variable.dtype.kind == "f":
            assert other.dtype == variable.dtype, name
            np.testing.assert_allclose(
                other.values, variable.values, rtol=STORED[variable.dtype], atol=0, err_msg=name
            )
        else:
            assert other.dtype.kind == variable.dtype.kind, name
            np.testing.assert_array_equal(other.values, variable.values, err_msg=name)


@pytest.mark.realdata
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["v1.mat", "v1.json", "v2.mat", "v2.json", "v2"])
def test_containers_agree(data_dir: Path, tmp_path: Path, family: str, name: str) -> None:
    oracle = opened(minflux(data_dir, f"{family}_{name[:2]}.npy"))
    with mfx.set_options(cache_folder=str(tmp_path)):
        found = opened(minflux(data_dir, f"{family}_{name}"))
    assert_same(found, oracle)
    assert found.attrs["format_version"] == oracle.attrs["format_version"]
    for key in ("cfr_iteration", "iterations", "aggregated", "bead_corrected", "z_scaling"):
        assert found.attrs[key] == oracle.attrs[key]


@pytest.mark.realdata
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["v2.mat", "v2.json", "v2"])
def test_flat_records_agree(data_dir: Path, tmp_path: Path, family: str, name: str) -> None:
    oracle = opened(minflux(data_dir, f"{family}_v2.npy"), records=True)
    with mfx.set_options(cache_folder=str(tmp_path)):
        found = opened(minflux(data_dir, f"{family}_{name}"), records=True)
    assert_same(found, oracle)
    assert oracle["position"].dims == ("record", "axis")
    assert oracle["dcr"].dims == ("record", "detector")


@pytest.mark.realdata
@pytest.mark.parametrize("dimensions", ["2d", "3d"])
def test_full_zarr_folders(data_dir: Path, dimensions: str) -> None:
    found = opened(minflux(data_dir, f"{dimensions}_full_v2"))
    assert_same(found, opened(minflux(data_dir, f"{dimensions}_v2.npy")))


@pytest.mark.realdata
def test_the_vendors_msr(data_dir: Path) -> None:
    path = minflux(data_dir, "two_datasets_official_pack.msr")
    table = mfx.list_minflux(path)
    assert len(table) == 2
    assert set(table["model"]) == {"v2 flat"}
    by_size = {int(n): label for label, n in table["records"].items()}
    tree = mfx.open_minflux_tree(path)
    sizes = set()
    for dimensions in ("2d", "3d"):
        for name in (f"{dimensions}_v2.npy", f"{dimensions}_small_v2.npy"):
            oracle = opened(minflux(data_dir, name), records=True)
            label = by_size.get(oracle.sizes["record"])
            if label is None:
                continue
            sizes.add(label)
            assert_same(opened(path, dataset=label, records=True), oracle)
            regrouped = opened(minflux(data_dir, name))
            assert_same(opened(path, dataset=label), regrouped)
            assert_same(tree[f"{label}/localizations"].to_dataset().compute(), regrouped)
    assert sizes == set(table.index)
    with pytest.raises(DataError, match="holds 2 data sets"):
        mfx.open_minflux(path)
    with pytest.raises(DataError, match="no data set 'P9'"):
        mfx.open_minflux(path, dataset="P9")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_v2", "3d_v2", "2d_small_v2", "3d_small_v2"])
def test_facts_of_flat_files(data_dir: Path, name: str) -> None:
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[f"derived/{name}.npy"]
    flat = opened(minflux(data_dir, f"{name}.npy"), records=True)
    assert flat.sizes["record"] == facts["n_rows"]
    assert int(flat["vld"].sum()) == facts["n_valid"]
    assert int(flat["fnl"].sum()) == facts["n_fnl"]
    assert [int(flat[flag].sum()) for flag in ("bot", "eot")] == [facts["n_bot"], facts["n_eot"]]
    assert int(flat["eco"].sum()) == facts["eco_sum_total"]
    codes, counts = np.unique(flat["sta"], return_counts=True)
    assert dict(zip(map(str, codes.tolist()), counts.tolist(), strict=True)) == facts["sta"]
    ds = opened(minflux(data_dir, f"{name}.npy"))
    assert ds.sizes["localization"] == facts["n_localizations"] == facts["n_final_valid"]
    assert ds.sizes["iteration"] == facts["n_iterations"]
    assert np.unique(ds["tid"]).size == facts["n_traces"]
    assert ds["eco"].sum("localization").values.tolist() == facts["eco_sum_per_iteration"]
    assert int(ds["eco"][:, -1].sum()) == facts["eco_sum_last"]
    executed = np.isfinite(ds["position"].values[..., 0])
    assert executed.sum(0).tolist() == facts["rows_per_iteration"]
    last = np.ascontiguousarray(ds["position"].values[:, -1])
    assert hashlib.sha256(last.tobytes()).hexdigest() == facts["sha256_loc_last_valid"]
    oracle = facts["pyminflux_0.7.0"]
    assert ds.attrs["cfr_iteration"] == oracle["cfr_index"]
    np.testing.assert_allclose(last.mean(0) * 1e9, oracle["mean_xyz_nm"], rtol=1e-12, atol=1e-12)
    cfr = ds["cfr"].values[:, oracle["cfr_index"]]
    assert np.unique(cfr).size == oracle["n_unique_cfr"]


@pytest.mark.realdata
@pytest.mark.parametrize("family", FAMILIES)
def test_both_models_tell_the_same(data_dir: Path, family: str) -> None:
    nested = opened(minflux(data_dir, f"{family}_v1.npy"))
    flat = opened(minflux(data_dir, f"{family}_v2.npy"))
    for name in ("tid", "vld", "gri", "sqi"):
        np.testing.assert_array_equal(flat[name], nested[name], err_msg=name)
    # the times of the flat files were made from ticks
    np.testing.assert_allclose(flat["tim"], nested["tim"], rtol=1e-15)
    executed = np.isfinite(nested["position"].values[..., 0])
    np.testing.assert_array_equal(np.isfinite(flat["position"].values[..., 0]), executed)
    for name, tolerance in (("position", 0), ("eco", 0), ("efo", 1e-7), ("cfr", 1e-3)):
        found, expected = flat[name].values[executed], nested[name].values[executed]
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=name)
    ticks = nested["tic"].values[executed] * 25e-9
    np.testing.assert_allclose(flat["iteration_time"].values[executed], ticks, rtol=1e-12)
    # the dcr of v2 is kept for every detector, its first is that of v1
    both = flat["dcr_per_detector"].values
    np.testing.assert_array_equal(both[..., 0], flat["dcr"].values)
    np.testing.assert_allclose(both[executed].sum(-1), 1, atol=1e-3)


@pytest.mark.realdata
def test_the_reduced_json_of_2021(data_dir: Path, tmp_path: Path) -> None:
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())["nup96.json"]
    with mfx.set_options(cache_folder=str(tmp_path)):
        ds = opened(data_dir / "minflux" / "nup96.json")
    assert ds.sizes["localization"] == facts["n_rows"]
    assert np.unique(ds["tid"]).size == facts["n_traces"]
    assert dict(ds.sizes)["iteration"] == 1
    assert bool(ds["vld"].all())
    assert not ds["position"].values[..., 2].any()
    assert int(ds["eco"].sum()) == facts["eco_sum_total"]
    for name, values in (
        ("tim", ds["tim"].values),
        ("efo", ds["efo"].values),
        ("cfr", ds["cfr"].values),
    ):
        found = [float(values.min()), float(values.max()), float(values.mean())]
        expected = [facts[name][key] for key in ("min", "max", "mean")]
        assert found == pytest.approx(expected, rel=1e-12)
    for axis, name in enumerate("xy"):
        values = ds["position"].values[:, 0, axis]
        expected = [facts["loc_m"][name][key] for key in ("min", "max", "mean")]
        found = [float(values.min()), float(values.max()), float(values.mean())]
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-20)


@pytest.mark.realdata
def test_the_session_of_pyminflux(data_dir: Path) -> None:
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())["pmx_format_v1.pmx"]
    ds = opened(data_dir / "minflux" / "pmx_format_v1.pmx")
    raw = facts["raw_npy"]
    assert ds.sizes["localization"] == raw["n_rows"]
    assert ds.sizes["iteration"] == raw["n_iterations"]
    last = np.ascontiguousarray(ds["position"].values[:, -1])
    assert hashlib.sha256(last.tobytes()).hexdigest() == raw["sha256_loc_last_valid"]
    tid = ds["tid"].values.astype("<i8")
    assert hashlib.sha256(tid.tobytes()).hexdigest() == raw["sha256_tid"]
    assert ds["fluo"].dims == ("localization",)
    assert ds.attrs["pmx_parameters"] == facts["parameters"]
