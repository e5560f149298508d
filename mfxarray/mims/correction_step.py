"""Corrections of ion counts, planned one by one and taken lazily in a single pass, recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.blocks import as_dask
from mfxarray.kernels.counting import Step, correct_block
from mfxarray.mims.counted import split, with_variance
from mfxarray.mims.stack import ion_numbers
from mfxarray.provenance import record, was_done

__all__ = ["STEPS", "Plan", "fresh_counts", "take_steps"]

Array = np.ndarray[Any, Any]
Counted = xr.DataArray | xr.Dataset

# what the record calls each correction
STEPS = {
    "background": "subtract_background",
    "dead_time": "correct_dead_time",
    "yield": "divide_yield",
    "qsa": "correct_qsa",
}


@dataclass(frozen=True)
class Plan:
    """A correction before it is taken.

    Attributes
    ----------
    name
        Key of `STEPS`.
    step
        Formula and values of the detectors.
    told
        Values by detector that the record keeps.
    parameters
        Further entries of the record.
    """

    name: str
    step: Step
    told: Mapping[str, Array]
    parameters: Mapping[str, Any] = field(default_factory=dict)


def fresh_counts(data: Counted, name: str) -> xr.DataArray:
    """Return the counts, if a correction may still be taken.

    Raises
    ------
    ValueError
        If it was taken before, or the counts are not those of pixels in single frames.
    """
    counts, _ = split(data)
    if "detector" not in counts.dims:
        raise ValueError(f"corrections need the dimension 'detector', not only {counts.dims}")
    if was_done(counts.attrs, STEPS[name]):
        raise ValueError(
            f"{STEPS[name]} was done before (see .mims.history); start from the counts before it"
        )
    if name != "yield":
        if was_done(counts.attrs, "accumulate") or "n_frames" in counts.coords:
            raise ValueError(
                f"{STEPS[name]} works on the counts of single frames, these are sums; correct "
                "before accumulate"
            )
        if not {"y", "x"} <= set(counts.dims):
            raise ValueError(f"{STEPS[name]} works on pixels (y, x), not on {counts.dims}")
    return counts


def take_steps(data: Counted, plans: Sequence[Plan]) -> xr.Dataset:
    """Return counts and variance after corrections, each recorded."""
    counts, variance = split(data)
    attrs = counts.attrs
    names, ions = counts["detector"].values, ion_numbers(counts)
    for plan in plans:
        values = {
            key: {str(names[number]): float(found[number]) for number in ions}
            for key, found in plan.told.items()
        }
        attrs = record(attrs, STEPS[plan.name], {**values, **plan.parameters})
    both = _corrected(counts, None if variance is counts else variance, plans)
    return with_variance(
        counts.copy(data=both[0]).drop_attrs(deep=False).assign_attrs(attrs),
        counts.copy(data=both[1]),
    )


def _corrected(
    counts: xr.DataArray, variance: xr.DataArray | None, plans: Sequence[Plan]
) -> da.Array:
    """Return counts and variance, shape (2, ...)."""
    array, axis = as_dask(counts.data), counts.get_axis_num("detector")
    letters = "abcdefgh"[: array.ndim]
    numbers = da.from_array(np.arange(array.shape[axis]), chunks=(array.chunks[axis],))
    spread = (None, None) if variance is None else (as_dask(variance.data), letters)
    return da.blockwise(
        partial(correct_block, steps=[plan.step for plan in plans], axis=axis),
        "z" + letters,
        array,
        letters,
        *spread,
        numbers,
        letters[axis],
        new_axes={"z": 2},
        dtype=np.float64,
        meta=np.empty((0,) * (array.ndim + 1)),
    )
