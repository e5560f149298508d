"""What is to be drawn of localizations or traces, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.minflux.rendering.grid import backwards
from mfxarray.minflux.rendering.rows import Field, Rows

__all__ = ["KINDS", "Asked", "asked_of"]

KINDS = ("histogram", "gaussian", "precision")
_BOUNDS = {"x": "bound_lateral", "y": "bound_lateral", "z": "bound_axial"}


@dataclass(frozen=True)
class Asked:
    """What is to be drawn of the rows.

    Attributes
    ----------
    rows
        Localizations or traces.
    names
        Axes of the image, (y, x) or (z, y, x).
    sigma
        Along each axis: metres, one for each row, or None for counts.
    weight, value, channel
        What each row counts, what its color is, or which channel.
    """

    rows: Rows
    names: tuple[str, ...]
    sigma: tuple[float, ...] | tuple[Field, ...] | None
    weight: Field | None
    value: Field | None
    channel: Field | None

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of the position for the axes of the image."""
        return tuple(self.rows.axes.index(name) for name in self.names)

    @property
    def fixed(self) -> tuple[float, ...] | None:
        """The standard deviation along each axis where it is the same for all."""
        found = tuple(width for width in self.sigma or () if isinstance(width, float))
        return found or None


def asked_of(
    rows: Rows,
    axes: Sequence[str],
    kind: str,
    sigma: Any,
    color: str | xr.DataArray | None,
    weights: str | xr.DataArray | None,
) -> Asked:
    """Return the parameters of `mfxarray.minflux.rendering.render.render` after checking them.

    Raises
    ------
    ValueError
        If one makes no sense.
    """
    if len(axes) not in (2, 3) or len(set(axes)) < len(axes) or not set(axes) <= set(rows.axes):
        raise ValueError(f"axes must be two or three of {', '.join(rows.axes)}, not {axes!r}")
    names = tuple(str(name) for name in axes)[::-1]
    weight = None if weights is None else rows.field(weights, role="weights")
    told = None if color is None else rows.field(color, role="color")
    channel = told if told is not None and told.whole else None
    value = told if channel is None else None
    return Asked(rows, names, _widths(rows, names, kind, sigma), weight, value, channel)


def _widths(
    rows: Rows, names: tuple[str, ...], kind: str, sigma: Any
) -> tuple[float, ...] | tuple[Field, ...] | None:
    """Return the standard deviation along each axis of the image."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
    if kind == "histogram":
        if sigma is not None:
            raise ValueError("a histogram has no sigma; take kind='gaussian' or 'precision'")
        return None
    if sigma is None and kind == "precision":
        each: tuple[Any, ...] = tuple(
            _BOUNDS[name] if rows.dim == "localization" else "standard_error" for name in names
        )
    else:
        each = backwards(sigma, len(names), "sigma")
    numbers = [isinstance(one, int | float | np.number) for one in each]
    if kind == "gaussian":
        if not all(numbers) or not all(0 < float(one) < np.inf for one in each):
            raise ValueError(f"a gaussian needs a sigma above 0 in metres, not {sigma!r}")
        return tuple(float(one) for one in each)
    if any(numbers):
        raise ValueError(
            "precision needs a sigma for each localization: give the name of a variable or an "
            "array; mfxarray.minflux.localization_bounds makes bound_lateral and bound_axial"
        )
    return tuple(
        rows.field(one, role="sigma", axis=name) for one, name in zip(each, names, strict=True)
    )
