"""Corrections of ion counts: background, dead time, yield, quasi-simultaneous arrival (QSA).

Each is lazy, works on every pixel of every frame, carries the variance along by the delta method,
is recorded, and is refused a second time. Detectors that count no ions are left as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.counting import (
    BACKGROUND,
    CAESIUM_PER_PA,
    DEAD_TIME,
    EFFICIENCY,
    QSA,
    Step,
)
from mfxarray.mims.correction_step import STEPS, Plan, fresh_counts, take_steps
from mfxarray.mims.per_detector import PerDetector, detector_values, dwell_seconds
from mfxarray.mims.stack import ion_numbers
from mfxarray.provenance import was_done

__all__ = [
    "ORDERS",
    "correct",
    "correct_dead_time",
    "correct_qsa",
    "divide_yield",
    "subtract_background",
]

Counted = xr.DataArray | xr.Dataset

# what other programs do, and what the detector does, backwards; QSA comes last in all
ORDERS = {
    "lans": ("background", "dead_time", "yield"),
    "openmims": ("dead_time",),
    "physical": ("dead_time", "background", "yield"),
}


def correct(
    data: Counted,
    *,
    background: PerDetector = "header",
    dead_time: PerDetector = "header",
    yields: PerDetector = "header",
    qsa: Mapping[str, Any] | None = None,
    dwell_time: PerDetector = "header",
    order: str | Sequence[str] = ("background", "dead_time", "yield"),
) -> xr.Dataset:
    """Return counts corrected step by step, and their variance.

    Parameters
    ----------
    data
        Ion counts (frame, detector, y, x), or corrected ones with their variance.
    background
        Counts a second, see `subtract_background`.
    dead_time
        Nanoseconds, see `correct_dead_time`.
    yields
        Percent, see `divide_yield`.
    qsa
        ``{"current_pa": ..., "beta": ...}`` to correct for QSA too, see `correct_qsa`; it comes
        last where the order does not name it.
    dwell_time
        Seconds in a pixel of one frame.
    order
        Names of the steps to take, first to last, out of "background", "dead_time", "yield",
        "qsa"; or "lans" (the default's order), "openmims" (dead time only) or "physical".

    Returns
    -------
    xarray.Dataset
        ``counts`` and ``variance``, float64, with the attributes of ``data``.

    Raises
    ------
    ValueError
        If a step was taken before, is unknown, or comes twice, or a value is missing.

    Notes
    -----
    Look@NanoSIMS subtracts the background first; OpenMIMS corrects the dead time only. A counter
    registers its background like any other pulse, so "physical" undoes the dead time first; the
    difference to "lans" is about ``2 * rate * tau`` of the background (at 1e6 counts/s, 44 ns and
    100 counts/s of background: 9.4 of 1.046e6 counts/s). Background and yield do not commute
    either: subtracted after the division by a yield of 70 %, it would weigh 0.7 times as much.
    """
    steps = list(ORDERS.get(order, (order,)) if isinstance(order, str) else order)
    if qsa is not None and "qsa" not in steps:
        steps.append("qsa")
    _check_order(steps, qsa)
    plan = {
        "background": lambda: _background(data, background, dwell_time),
        "dead_time": lambda: _dead_time(data, dead_time, dwell_time),
        "yield": lambda: _yield(data, yields),
        "qsa": lambda: _qsa(data, dwell_time=dwell_time, **dict(qsa or {})),
    }
    return take_steps(data, [plan[step]() for step in steps])


def subtract_background(
    data: Counted, background: PerDetector = "header", *, dwell_time: PerDetector = "header"
) -> xr.Dataset:
    """Return counts less the background, and their variance, which stays as it is.

    Parameters
    ----------
    data
        Ion counts, raw or corrected.
    background
        Counts a second: "header", a number for all ions, values by detector name, or one a
        detector. Taken as known exactly. Pixels may become negative, so that sums stay unbiased.
    dwell_time
        Seconds in a pixel of one frame.

    Raises
    ------
    ValueError
        If this was done before, frames were summed, or frames were aligned: the empty margins of
        an aligned frame have no background. `apply_translations` takes corrected counts.
    """
    return take_steps(data, [_background(data, background, dwell_time)])


def correct_dead_time(
    data: Counted, dead_time: PerDetector = "header", *, dwell_time: PerDetector = "header"
) -> xr.Dataset:
    """Return counts as a counter without dead time would have given them, and their variance.

    Parameters
    ----------
    data
        Ion counts, raw or corrected.
    dead_time
        Nanoseconds: "header", a number for all ions, values by detector name, or one a detector.
    dwell_time
        Seconds in a pixel of one frame.

    Raises
    ------
    ValueError
        If this was done before, or frames were summed.

    Notes
    -----
    Non-paralysable: ``c' = c / (1 - c tau)`` for the count rate c in the pixel and frame. NaN where
    ``c tau >= 1``; see `mfxarray.mims.saturation.saturation` for pixels on their way there.
    """
    return take_steps(data, [_dead_time(data, dead_time, dwell_time)])


def divide_yield(data: Counted, yields: PerDetector = "header") -> xr.Dataset:
    """Return counts over the detector's yield, and their variance.

    Parameters
    ----------
    data
        Ion counts, raw or corrected.
    yields
        Percent of the ions that a detector registers: "header", a number for all ions, values by
        detector name, or one a detector.

    Raises
    ------
    ValueError
        If this was done before, or a yield is 0.
    """
    return take_steps(data, [_yield(data, yields)])


def correct_qsa(
    data: Counted,
    *,
    current_pa: float,
    beta: PerDetector,
    dwell_time: PerDetector = "header",
) -> xr.Dataset:
    """Return counts corrected for ions that arrived together, and their variance; with a warning.

    Parameters
    ----------
    data
        Ion counts, raw or corrected (for dead time at least).
    current_pa
        Primary current on the sample (FCo), pA. Not taken from the header, whose currents are
        measured elsewhere in the column.
    beta
        Weight of the correction: 0.5 in theory, 1 in Look@NanoSIMS, 0.66 to 0.69 as measured by
        Jones et al. 2017. A number, values by detector name, or one a detector.
    dwell_time
        Seconds in a pixel of one frame.

    Warns
    -----
    UserWarning
        Always: Ogliore et al. 2021 find the analytic correction unreliable and recommend
        standards measured at the same count rates.

    References
    ----------
    Slodzian et al. 2004, Appl. Surf. Sci. 231-232, 874; Ogliore et al. 2021, arXiv:2102.04253.
    """
    return take_steps(data, [_qsa(data, current_pa, beta, dwell_time)])


def _background(data: Counted, background: PerDetector, dwell_time: PerDetector) -> Plan:
    counts = fresh_counts(data, "background")
    rates = detector_values(counts, background, "background_cps", neutral=0.0)
    if rates.any() and was_done(counts.attrs, "apply_translations"):
        raise ValueError(
            "subtract the background before aligning: the empty margins of aligned frames would "
            "fall below zero (apply_translations takes corrected counts)"
        )
    dwell = dwell_seconds(counts, dwell_time)
    told = {"background_cps": rates, "dwell_time_s": dwell}
    return Plan("background", Step(BACKGROUND, tuple(rates * dwell)), told)


def _dead_time(data: Counted, dead_time: PerDetector, dwell_time: PerDetector) -> Plan:
    counts = fresh_counts(data, "dead_time")
    nanoseconds = detector_values(counts, dead_time, "dead_time_ns", neutral=0.0)
    dwell = dwell_seconds(counts, dwell_time)
    told = {"dead_time_ns": nanoseconds, "dwell_time_s": dwell}
    step = Step(DEAD_TIME, tuple(nanoseconds * 1e-9 / dwell))
    return Plan("dead_time", step, told)


def _yield(data: Counted, yields: PerDetector) -> Plan:
    counts = fresh_counts(data, "yield")
    percent = detector_values(counts, yields, "yield_percent", neutral=100.0)
    if not (percent > 0).all():
        raise ValueError("a yield of 0 % leaves nothing to divide; give yields in percent")
    told = {"yield_percent": percent}
    return Plan("yield", Step(EFFICIENCY, tuple(percent / 100.0)), told)


def _qsa(data: Counted, current_pa: float, beta: PerDetector, dwell_time: PerDetector) -> Plan:
    counts = fresh_counts(data, "qsa")
    if not current_pa > 0:
        raise ValueError(f"current_pa must be more than 0 pA, not {current_pa}")
    if isinstance(beta, str):
        raise ValueError("no header holds beta; give a number, for example 0.5")
    weights = detector_values(counts, beta, "beta", neutral=0.0)
    dwell = dwell_seconds(counts, dwell_time)
    warnings.warn(
        "the analytic QSA correction is doubtful (Ogliore et al. 2021, arXiv:2102.04253); "
        "standards measured at the same count rates are safer",
        UserWarning,
        stacklevel=3,
    )
    primaries = np.full(dwell.shape, np.inf)
    ions = ion_numbers(counts)
    primaries[ions] = current_pa * CAESIUM_PER_PA * dwell[ions]
    told = {"beta": weights, "dwell_time_s": dwell}
    step = Step(QSA, tuple(primaries), tuple(weights))
    return Plan("qsa", step, told, {"current_pa": current_pa})


def _check_order(steps: Sequence[str], qsa: Mapping[str, Any] | None) -> None:
    unknown = [step for step in steps if step not in STEPS]
    if unknown or not steps or len(set(steps)) != len(steps):
        raise ValueError(
            f"order must name each of {tuple(STEPS)} at most once, or be one of {tuple(ORDERS)}, "
            f"not {tuple(steps)}"
        )
    if "qsa" in steps and qsa is None:
        raise ValueError('the order names "qsa"; give qsa={"current_pa": ..., "beta": ...}')
    if qsa is not None and set(qsa) != {"current_pa", "beta"}:
        raise ValueError(f"qsa needs 'current_pa' and 'beta', not {sorted(qsa)}")
