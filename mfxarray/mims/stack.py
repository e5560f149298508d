"""What every operation on ion images needs: the stack's shape and its detectors."""

from __future__ import annotations

from collections.abc import Sequence

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask, whole

__all__ = ["DIMS", "as_stack", "dask_counts", "detector_numbers", "ion_numbers"]

DIMS = ("frame", "detector", "y", "x")


def as_stack(counts: xr.DataArray) -> xr.DataArray:
    """Return ion counts in the order (frame, detector, y, x).

    Raises
    ------
    ValueError
        If a dimension is missing or there is another one, or the counts are no integers.
    """
    if set(counts.dims) != set(DIMS):
        raise ValueError(f"ion images have the dimensions {DIMS}, these have {counts.dims}")
    if counts.dtype.kind not in "ui":
        raise ValueError(
            f"counts must be integers, not {counts.dtype}; clean and align before ratios"
        )
    return counts.transpose(*DIMS)


def dask_counts(counts: xr.DataArray) -> da.Array:
    """Return the counts as a dask array whose images are whole."""
    return whole(as_dask(as_stack(counts).data), (1, 2, 3))


def ion_numbers(counts: xr.DataArray) -> list[int]:
    """Return the numbers of the detectors that count ions: all but those of mass 0 (electrons)."""
    if "mass" not in counts.coords:
        return list(range(counts.sizes["detector"]))
    return [int(number) for number in np.flatnonzero(counts["mass"].values > 0)]


def detector_numbers(counts: xr.DataArray, wanted: str | Sequence[str] | None) -> list[int]:
    """Return the numbers of detectors given by name, all ion detectors where none is given.

    Raises
    ------
    ValueError
        If a name is not there, or no detector counts ions.
    """
    if wanted is None:
        numbers = ion_numbers(counts)
        if not numbers:
            raise ValueError("no detector counts ions (all masses are 0); name the detectors")
        return numbers
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    known = [str(name) for name in counts["detector"].values]
    for name in names:
        if name not in known:
            raise ValueError(f"no detector {name!r}; there are {', '.join(map(repr, known))}")
    return [known.index(name) for name in names]
