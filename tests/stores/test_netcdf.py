"""NetCDF files, read back by xarray."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.stores.netcdf import write_netcdf
from mfxarray.testing import assert_same_bits, raise_if_computes
from tests.stores.image_samples import failing, large, peak_of, stack
from tests.stores.samples import BlockFailedError, names, table

if not any(importlib.util.find_spec(name) for name in ("h5netcdf", "netCDF4")):
    pytest.skip("no NetCDF library", allow_module_level=True)

MB = 1_000_000


@pytest.mark.parametrize("compress", [False, True])
def test_counts_come_back(tmp_path: Path, compress: bool) -> None:
    data = stack()
    write_netcdf(data, tmp_path / "a.nc", compress=compress)
    with xr.open_dataarray(tmp_path / "a.nc") as found:
        assert found.name == "counts"
        assert found.dtype == np.uint32
        assert found.dims == data.dims
        xr.testing.assert_equal(found, data)
        assert set(found.coords) == set(data.coords)
        assert found.attrs["units"] == "counts"
        assert found["y"].attrs == {"units": "µm"}
        assert found.attrs["provenance"] == data.attrs["provenance"]
        assert found.encoding["zlib"] is compress
    assert names(tmp_path) == ["a.nc"]


def test_tables_come_back_bit_by_bit(tmp_path: Path) -> None:
    data = table()
    write_netcdf(data, tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as found:
        xr.testing.assert_equal(found, data)
        numbers = [name for name in data.variables if data[name].dtype.kind in "biuf"]
        plain = {name: (data[name].dims, found[name].values) for name in numbers}
        wanted = {name: (data[name].dims, data[name].values) for name in numbers}
        assert_same_bits(xr.Dataset(plain), xr.Dataset(wanted))
        assert found["vld"].dtype == bool
        assert list(found["colour"].values) == ["far red", "µ", ""]


def test_attributes_that_netcdf_does_not_know(tmp_path: Path) -> None:
    odd = {
        "none": None,
        "flag": True,
        "mixed": [1.0, None],
        "nested": {"a": [1, {"b": "µ"}]},
        "empty": [],
        "huge": 2**70,
    }
    plain = {
        "text": "µ",
        "number": np.int64(3),
        "pair": (1.5, 2.5),
        "words": ["a", "µ"],
        "nan": np.nan,
    }
    write_netcdf(stack().assign_attrs({**odd, **plain}), tmp_path / "a.nc")
    with xr.open_dataarray(tmp_path / "a.nc") as found:
        attrs = found.attrs
    assert set(attrs["json_attributes"].split()) == {*odd, "yields"}
    for name, value in odd.items():
        assert json.loads(attrs[name]) == value
    assert attrs["text"] == "µ"
    assert attrs["number"] == 3
    np.testing.assert_array_equal(attrs["pair"], [1.5, 2.5])
    assert list(attrs["words"]) == ["a", "µ"]
    assert np.isnan(attrs["nan"])


@pytest.mark.parametrize("name", ["a/b", "", " ", "a\n", "a ", "\ud800", ".", "(x)"])
def test_names_that_netcdf_does_not_allow(tmp_path: Path, name: str) -> None:
    image = stack().isel(frame=0, detector=0, drop=True)
    with pytest.raises(ValueError, match="no name in NetCDF"):
        write_netcdf(xr.Dataset({name: image}), tmp_path / "a.nc")
    with pytest.raises(ValueError, match="no name in NetCDF"):
        write_netcdf(image.assign_attrs({name: 1}), tmp_path / "a.nc")
    with pytest.raises(ValueError, match="no name in NetCDF"):
        write_netcdf(image.rename({"x": name}), tmp_path / "a.nc")
    assert names(tmp_path) == []


def test_names_that_are_no_text(tmp_path: Path) -> None:
    for data in (xr.Dataset({3: ("q", np.zeros(2))}), stack().assign_attrs({3: 1})):
        with pytest.raises(ValueError, match="name 3 is no name in NetCDF"):
            write_netcdf(data, tmp_path / "a.nc")


def test_odd_text(tmp_path: Path) -> None:
    odd = ["12C 14N", "a/b\\c", "µ\n\x1b[2J", "\u202egpj.exe", "=1+1", "", "ж" * 500]
    write_netcdf(stack(names=odd), tmp_path / "a.nc")
    with xr.open_dataarray(tmp_path / "a.nc") as found:
        assert list(found["detector"].values) == odd
    with pytest.raises(ValueError, match="which NetCDF cannot"):
        write_netcdf(stack(names=["a\x00b"]), tmp_path / "b.nc")
    for bad in ("a\x00b", "\ud800"):
        with pytest.raises(ValueError, match="which NetCDF cannot"):
            write_netcdf(stack().assign_attrs(comment=bad), tmp_path / "b.nc")
    assert names(tmp_path) == ["a.nc"]


@pytest.mark.parametrize("dtype", ["c8", "M8[ns]", "f2", "S3"])
def test_dtypes_without_a_place(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match="a has dtype"):
        write_netcdf(xr.Dataset({"a": ("x", np.zeros(3, dtype))}), tmp_path / "a.nc")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["_FillValue", "scale_factor", "coordinates"])
def test_attributes_that_readers_apply(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="which NetCDF readers interpret"):
        write_netcdf(stack().assign_attrs({name: 2.0}), tmp_path / "a.nc")


@pytest.mark.parametrize("shape", [(), (0,), (1,)])
@pytest.mark.parametrize("compress", [False, True])
def test_small_arrays(tmp_path: Path, shape: tuple[int, ...], compress: bool) -> None:
    data = xr.Dataset({"a": (("q",)[: len(shape)], da.ones(shape, dtype="f4"))})
    write_netcdf(data, tmp_path / "a.nc", compress=compress)
    with xr.open_dataset(tmp_path / "a.nc") as found:
        xr.testing.assert_equal(found, data)


def test_crash_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BlockFailedError):
        write_netcdf(failing(), tmp_path / "a.nc")
    assert names(tmp_path) == []
    write_netcdf(stack(), tmp_path / "a.nc")
    before = (tmp_path / "a.nc").read_bytes()
    with pytest.raises(BlockFailedError):
        write_netcdf(failing(), tmp_path / "a.nc", overwrite=True)
    assert (tmp_path / "a.nc").read_bytes() == before
    assert names(tmp_path) == ["a.nc"]


def test_existing_file_is_refused_before_any_work(tmp_path: Path) -> None:
    write_netcdf(stack(), tmp_path / "a.nc")
    with raise_if_computes(), pytest.raises(DataError, match="exists already"):
        write_netcdf(stack(), tmp_path / "a.nc")


def test_that_a_missing_library_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"mfxarray\[netcdf\]"):
        write_netcdf(stack(), tmp_path / "a.nc")


def test_memory_stays_at_a_few_blocks(tmp_path: Path) -> None:
    data, made = large()
    both = xr.Dataset({"counts": data, "variance": data * np.uint32(2)})
    assert peak_of(lambda: write_netcdf(both, tmp_path / "a.nc")) < 60 * MB
    assert len(made) == 50


@pytest.mark.cluster
def test_cluster_writes_and_cleans_up(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=True, **options) as cluster, cluster.get_client():
        write_netcdf(stack(), tmp_path / "a.nc")
        # a worker that still writes must not bring the file back
        with pytest.raises(BlockFailedError):
            write_netcdf(failing(), tmp_path / "failed.nc")
    with xr.open_dataarray(tmp_path / "a.nc") as found:
        xr.testing.assert_equal(found, stack())
    assert names(tmp_path) == ["a.nc"]
