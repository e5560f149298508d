"""Accessors hand over, and hold no logic of their own."""

from __future__ import annotations

import ast
import inspect

import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray import accessors
from mfxarray.minflux.photons import photons
from mfxarray.minflux.scale_z import scale_z
from tests.samples import ion_stack, localization_file


def test_methods_only_import_and_return():
    for kind in (accessors.MfxAccessor, accessors.CountsAccessor, accessors.MimsAccessor):
        tree = ast.parse(inspect.getsource(kind).lstrip())
        for method in ast.walk(tree):
            if isinstance(method, ast.FunctionDef):
                kinds = [type(node) for node in method.body if not _is_docstring(node)]
                assert kinds[0] is ast.ImportFrom, method.name
                assert len(kinds) == 2, method.name


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_the_issue_s_own_example(tmp_path):
    ds = mfx.open_minflux(localization_file(tmp_path))
    good = ds.mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8)).mfx.compact()
    traces = good.mfx.traces()
    good.mfx.to_zarr(tmp_path / "run.zarr")
    traces.mfx.to_parquet(tmp_path / "traces.parquet")
    xr.testing.assert_identical(mfx.open_zarr(tmp_path / "run.zarr"), good)
    xr.testing.assert_identical(mfx.open_parquet(tmp_path / "traces.parquet"), traces)

    ions = mfx.open_mims(ion_stack(tmp_path))
    clean = ions.mims.remove_hot_pixels()
    shifts = clean.mims.infer_translations("12C 14N")
    aligned = clean.mims.apply_translations(shifts)
    assert aligned.sum("frame").shape == (7, 64, 64)
    aligned.mims.to_zarr(tmp_path / "aligned.zarr")
    xr.testing.assert_identical(mfx.open_zarr_array(tmp_path / "aligned.zarr"), aligned)


def test_history_of_nothing():
    assert xr.Dataset().mfx.history == []
    assert xr.DataArray([1]).mims.history == []


def test_wrong_parameters_name_the_parameter(tmp_path):
    ions = mfx.open_mims(ion_stack(tmp_path))
    with pytest.raises(TypeError, match="nonsense"):
        ions.mims.infer_hot_pixels(nonsense=1)


def test_photons_and_z_scaling(tmp_path):
    ds = mfx.open_minflux(localization_file(tmp_path))
    for which in ("last", "relocalised", "all"):
        xr.testing.assert_identical(ds.mfx.photons(which), photons(ds, which))
    tail = ds.mfx.photons("relocalised", iterations=(8, 9))
    assert tail.attrs["iterations"] == [8, 9]
    sequence = {"id": "Own", "Itr": [{}] * 10, "headstart": -1}
    assert ds.mfx.photons("relocalised", sequence=sequence).attrs["iterations"] == [9]
    xr.testing.assert_identical(ds.mfx.scale_z(0.7), scale_z(ds, 0.7))
