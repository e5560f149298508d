"""Axial positions corrected for the mismatch of refractive indices, once."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from mfxarray.provenance import history, record, was_done

__all__ = ["scale_z"]

_STEP = "scale_z"
_ATTRIBUTE = "z_scaling"
_POSITIONS = ("position", "position_uncorrected")
# made from positions in ways that need not keep axes apart
_DERIVED = ("position_registered", "position_drift_corrected", "position_bead_corrected")
_AXIS = "axis"


def scale_z(ds: xr.Dataset, factor: float) -> xr.Dataset:
    """Return the Dataset with z of all positions multiplied by a factor.

    Parameters
    ----------
    ds
        Localizations, nested or flat, or beads, with ``position``.
    factor
        Above 0. It depends on the optics: values in use are 0.66 to 0.8.

    Returns
    -------
    xarray.Dataset
        ``position`` and ``position_uncorrected`` scaled, ``attrs["z_scaling"]`` set. What is not
        a position on the sample (``lcz``, ``dmz``, ``ext``) stays as it was measured.

    Raises
    ------
    ValueError
        If z was scaled before, by the file or by an earlier call, even by 1; if the factor is not
        a number above 0; if there are no positions, or others were made from them already.

    Notes
    -----
    Lazy; x and y keep their bits. z of data in two dimensions is 0 and stays 0.
    """
    _check_factor(factor)
    _check_unscaled(ds)
    present = [name for name in _POSITIONS if name in ds and _AXIS in ds[name].dims]
    if not present:
        raise ValueError("there is no position to scale: scale_z takes localizations or beads")
    derived = [name for name in _DERIVED if name in ds]
    if derived:
        raise ValueError(
            f"{derived[0]} was made from unscaled positions; scale z before, then make it again"
        )
    factors = _factors(ds, float(factor))
    scaled = {name: _scaled(ds[name].variable, factors) for name in present}
    attrs = record(ds.attrs, _STEP, {"factor": float(factor)})
    return ds.assign(scaled).assign_attrs({**attrs, _ATTRIBUTE: float(factor)})


def _check_factor(factor: float) -> None:
    number = isinstance(factor, int | float | np.integer | np.floating)
    if isinstance(factor, bool) or not number or not math.isfinite(factor) or factor <= 0:
        raise ValueError(f"factor must be a number above 0, such as 0.7, not {factor!r}")


def _check_unscaled(ds: xr.Dataset) -> None:
    before = ds.attrs.get(_ATTRIBUTE, 1.0)
    if before == 1.0 and not was_done(ds.attrs, _STEP):
        return
    steps = ", ".join(
        f"scale_z(factor={entry['parameters']['factor']})"
        if entry["step"] == _STEP
        else entry["step"]
        for entry in history(ds.attrs)
    )
    raise ValueError(
        f"z is already scaled by {before} (history: {steps or 'none'}); "
        f"go back to the data before that step, or multiply the positions yourself"
    )


def _factors(ds: xr.Dataset, factor: float) -> xr.Variable:
    axes = ds[_AXIS].values.tolist() if _AXIS in ds.coords else ["x", "y", "z"]
    return xr.Variable((_AXIS,), np.array([factor if axis == "z" else 1.0 for axis in axes]))


def _scaled(variable: xr.Variable, factors: xr.Variable) -> xr.Variable:
    if variable.chunks is None:
        # what xarray reads on demand must not be read here
        chunks = variable.encoding.get("preferred_chunks", {})
        variable = variable.chunk(chunks)
    product = variable * factors.astype(variable.dtype)
    return xr.Variable(variable.dims, product.data, variable.attrs, variable.encoding)
