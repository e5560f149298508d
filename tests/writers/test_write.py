"""One call for every container; the formats themselves are tested with their writers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.writers.write import CONTAINERS, write_minflux
from tests.samples import localization_file
from tests.writers.record_files import as_dataset, flat, same_bytes

FUNCTIONS = {
    "mat5": "write_mat5",
    "mat73": "write_mat73",
    "json": "write_json",
    "zarr_v2": "write_zarr_v2",
    "msr": "write_msr",
    "pmx": "write_pmx",
    "text": "write_text",
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Put a recorder in the place of every writer."""
    made: list[tuple] = []
    for module, function in FUNCTIONS.items():
        stand_in = ModuleType(f"mfxarray.writers.{module}")

        def record(path, outgoing, *, overwrite=False, _name=module, **options):
            made.append((_name, path, outgoing, overwrite, options))

        setattr(stand_in, function, record)
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    return made


@pytest.mark.parametrize(
    ("name", "container", "module"),
    [
        ("a.mat", None, "mat5"),
        ("a.mat", "mat v7.3", "mat73"),
        ("a.json", None, "json"),
        ("a.zarr", None, "zarr_v2"),
        ("a.ZARR/", None, "zarr_v2"),
        ("a.zarr.zip", None, "zarr_v2"),
        ("folder", "zarr", "zarr_v2"),
        ("a.msr", None, "msr"),
        ("a.pmx", None, "pmx"),
        ("a.csv", None, "text"),
        ("a.dat", "text", "text"),
    ],
)
def test_container_by_name_or_suffix(calls, tmp_path: Path, name, container, module):
    write_minflux(as_dataset(flat()), tmp_path / name, container=container, overwrite=True)
    ((found, path, outgoing, overwrite, options),) = calls
    assert (found, overwrite, options) == (module, True, {})
    assert path == tmp_path / name
    one = outgoing[0] if module == "msr" else outgoing
    assert one.n_rows == 40


def test_npy_in_both_models(tmp_path: Path):
    path = localization_file(tmp_path)
    ds = mfx.open_minflux(path)
    write_minflux(ds, tmp_path / "again.npy")
    assert same_bytes(path, tmp_path / "again.npy")
    write_minflux(ds, tmp_path / "flat.npy", model="v2")
    assert np.load(tmp_path / "flat.npy").dtype.itemsize == 101
    with pytest.raises(DataError, match="exists already"):
        write_minflux(ds, tmp_path / "flat.npy")


def test_over_the_file_that_is_read(tmp_path: Path):
    path = localization_file(tmp_path)
    expected = np.load(path)[::2]
    ds = mfx.open_minflux(path).isel(localization=slice(None, None, 2))
    write_minflux(ds, path, overwrite=True)
    assert np.load(path).tobytes() == expected.tobytes()


def test_several_data_sets(calls, tmp_path: Path):
    ds = as_dataset(flat())
    tree = xr.DataTree.from_dict({"/P1/localizations": ds, "/P2/localizations": ds})
    write_minflux(tree, tmp_path / "a.msr", compress=True)
    assert [one.label for one in calls[0][2]] == ["P1", "P2"]
    assert calls[0][4] == {"compress": True}
    with pytest.raises(ValueError, match="holds one data set, the tree holds P1, P2"):
        write_minflux(tree, tmp_path / "a.npy")
    write_minflux(tree["P2"], tmp_path / "b.npy")
    assert len(np.load(tmp_path / "b.npy")) == 40


def test_refused(calls, tmp_path: Path):
    ds = as_dataset(flat())
    with pytest.raises(ValueError, match="tells no container"):
        write_minflux(ds, tmp_path / "a.dat")
    with pytest.raises(ValueError, match="no container 'hdf'"):
        write_minflux(ds, tmp_path / "a.dat", container="hdf")
    with pytest.raises(ValueError, match="no option chunk_rows for json; there are: wrap"):
        write_minflux(ds, tmp_path / "a.json", chunk_rows=3)
    with pytest.raises(ValueError, match="there are: none"):
        write_minflux(ds, tmp_path / "a.npy", wrap="mfx")
    scaled = ds.assign_attrs(z_scaling=0.7)
    with pytest.raises(ValueError, match="z is scaled"):
        write_minflux(scaled, tmp_path / "a.npy")
    assert not calls
    assert not list(tmp_path.iterdir())
    write_minflux(scaled, tmp_path / "a.csv")
    write_minflux(scaled, tmp_path / "a.json", allow_scaled=True, wrap="mfx")
    assert [call[0] for call in calls] == ["text", "json"]


def test_every_container_has_a_writer():
    assert set(CONTAINERS) >= {"npy", "mat v5", "mat v7.3", "json", "zarr", "msr", "pmx", "text"}
