"""Shapes and names of ion stacks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.stack import as_stack, dask_counts, detector_numbers, ion_numbers


def stack(**changes):
    coords = {"detector": ["12C", "12C 14N", "SE"], "mass": ("detector", [12.0, 26.0, 0.0])}
    data = np.arange(2 * 3 * 4 * 5, dtype="u4").reshape(2, 3, 4, 5)
    return xr.DataArray(changes.get("data", data), coords, ("frame", "detector", "y", "x"))


def test_order_is_mended():
    counts = stack()
    xr.testing.assert_identical(as_stack(counts.transpose("x", "detector", "y", "frame")), counts)


def test_wrong_stacks():
    with pytest.raises(ValueError, match="dimensions"):
        as_stack(stack().isel(frame=0))
    with pytest.raises(ValueError, match="integers"):
        as_stack(stack().astype(float))


def test_numpy_becomes_dask_and_images_whole():
    assert isinstance(dask_counts(stack()), da.Array)
    chunked = dask_counts(stack().chunk({"frame": 1, "detector": 1, "x": 2}))
    assert chunked.chunks == ((1, 1), (3,), (4,), (5,))


def test_detectors():
    assert ion_numbers(stack()) == [0, 1]
    assert ion_numbers(stack().drop_vars("mass")) == [0, 1, 2]
    assert detector_numbers(stack(), None) == [0, 1]
    assert detector_numbers(stack(), "SE") == [2]
    assert detector_numbers(stack(), ["SE", "12C"]) == [2, 0]
    with pytest.raises(ValueError, match="no detector '13C'"):
        detector_numbers(stack(), "13C")
    with pytest.raises(ValueError, match="counts ions"):
        detector_numbers(stack().assign_coords(mass=("detector", [0.0, 0, 0])), None)
