"""The positions that a statistics sheet tells of: the most corrected ones, without drift."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from mfxarray.minflux.drift.correction import correct_drift
from mfxarray.minflux.drift.estimate import estimate_drift
from mfxarray.minflux.drift.settings import PRESETS
from mfxarray.provenance import was_done

__all__ = ["DriftLike", "Shown", "shown_positions"]

DriftLike = xr.Dataset | str | bool | None

# -log10 of the chance that a window agrees with no other; below it the sheet says so
_CHANCE = 3.0
_REGISTERED, _CORRECTED = "position_registered", "position_drift_corrected"


@dataclass(frozen=True)
class Shown:
    """Localizations whose ``position`` is that to tell of, their drift, and what to say of both."""

    localizations: xr.Dataset
    drift: xr.Dataset | None
    notes: tuple[str, ...]


def shown_positions(ds: xr.Dataset, drift: DriftLike, preset: str) -> Shown:
    """Return the localizations with their drift subtracted, as far as there is one.

    Parameters
    ----------
    ds
        Localizations.
    drift
        See `mfxarray.minflux.sheet.sheet.statistics`.
    preset
        Of the drift where none is named.

    Raises
    ------
    ValueError
        If the drift is none of what it may be, or is asked for where it was subtracted before.
    """
    if drift is True or not isinstance(drift, DriftLike):
        raise ValueError(
            f"drift must be a result of estimate_drift, a preset ({', '.join(PRESETS)}), None or "
            f"False, not {drift!r}"
        )
    ds, notes = _last_positions(ds)
    corrected = was_done(ds.attrs, "correct_drift") or _CORRECTED in ds
    if drift is False:
        return Shown(ds, None, (*notes, "drift: not looked for"))
    if drift is None:
        if corrected:
            return Shown(ds, None, (*notes, "drift: subtracted before"))
        if "wash" in ds.variables:
            return Shown(ds, None, (*notes, "drift: not looked for, there are several washes"))
    elif corrected:
        raise ValueError("the drift was subtracted before; leave drift= out")
    if isinstance(drift, xr.Dataset):
        return Shown(correct_drift(ds, drift, replace=True), drift, notes)
    return _estimated(ds, preset if drift is None else drift, notes)


def _estimated(ds: xr.Dataset, preset: str, notes: tuple[str, ...]) -> Shown:
    if preset not in PRESETS:
        raise ValueError(f"drift must be one of {', '.join(PRESETS)}, not {preset!r}")
    try:
        found = estimate_drift(ds, preset=preset, uncertainty=False)
    except ValueError as error:
        # too few windows or traces: the rest of the sheet can be told without
        return Shown(ds, None, (*notes, f"drift: not found, {error}"))
    return Shown(correct_drift(ds, found, replace=True), found, (*notes, *_doubts(found)))


def _doubts(found: xr.Dataset) -> tuple[str, ...]:
    """Return what to say of a drift whose windows may agree by chance; presets accept it anyway."""
    if "window_significance" not in found:
        return ()
    least = float(found["window_significance"].min())
    if not least < _CHANCE:
        return ()
    return (f"drift: may be chance, 10^-{max(least, 0.0):.1f} in its least sure window",)


def _last_positions(ds: xr.Dataset) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Return the Dataset with the most corrected positions under the name ``position``."""
    present = [name for name in (_REGISTERED, _CORRECTED) if name in ds]
    if not present:
        return ds, ()
    if len(present) == 2:
        raise ValueError(
            f"which positions are meant, {_REGISTERED} or {_CORRECTED}? Drop the other one"
        )
    return ds.assign(position=ds[present[0]]), (f"positions: {present[0]}",)
