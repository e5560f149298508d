"""The front door: quick to import, all names resolve."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mfxarray


def test_all_public_names_resolve():
    for name in mfxarray.__all__:
        assert getattr(mfxarray, name) is not None
    assert dir(mfxarray) == sorted(mfxarray.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mfxarray.nonsense  # noqa: B018


def test_importing_registers_accessors_but_not_dask_array():
    code = (
        "import sys, mfxarray, xarray as xr;"
        "assert hasattr(xr.Dataset, 'mfx') and hasattr(xr.DataArray, 'mims');"
        "assert 'dask.array' not in sys.modules, 'dask.array';"
        "assert 'numba' not in sys.modules, 'numba'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_rooms_are_reached_from_the_top():
    assert mfxarray.minflux.Range.__module__ == "mfxarray.minflux.filtering.masks"
    assert all(getattr(mfxarray.minflux, name) is not None for name in mfxarray.minflux.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mfxarray.minflux.nothing  # noqa: B018


def test_pictures_are_reached_from_the_top_and_import_no_matplotlib():
    code = (
        "import sys, mfxarray as mfx;"
        "[getattr(mfx.plot, name) for name in mfx.plot.__all__];"
        "assert 'matplotlib' not in sys.modules, 'matplotlib'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
