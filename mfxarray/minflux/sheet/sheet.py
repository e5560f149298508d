"""The statistics of a measurement on one sheet: validity, background, times, spreads, drift."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.histogram import plane_histogram
from mfxarray.minflux.filtering.masks import position_rows
from mfxarray.minflux.rows import dask_rows, used_rows
from mfxarray.minflux.sheet.columns import panel_variables, time_span, values_of
from mfxarray.minflux.sheet.frc import FrcLike, correlations_of, frc_variables
from mfxarray.minflux.sheet.positions import DriftLike, shown_positions
from mfxarray.minflux.sheet.settings import SheetSettings, sheet_settings
from mfxarray.minflux.sheet.survey import Survey, survey
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history, record
from mfxarray.schema import AXES

__all__ = ["statistics"]

Array = np.ndarray[Any, Any]
Variables = dict[str, tuple[Any, ...]]

# pixels of the picture are the smallest of these, times powers of ten, nm, that give no more along
# a side; limits are whole multiples of the margin
_STEPS = (1, 2, 5)
_MOST_PIXELS = 1000
_MARGIN_NM = 100
_NM = 1e-9


def statistics(
    ds: xr.Dataset,
    *,
    preset: str | SheetSettings = "default",
    ddof: int | str = 1,
    drift: DriftLike = None,
    frc: FrcLike = None,
) -> xr.Dataset:
    """Return the numbers and histograms that tell how good a measurement is.

    Parameters
    ----------
    ds
        Localizations; those count that are valid, have a position, and were masked by no filter.
        Several washes count together, with times within each wash.
    preset
        "default"; "seed", which differs by its drift only; or "paint21", which has other edges,
        traces of 2 localizations among the standard errors, and the error in the plane as that of
        x and y together instead of one axis.
    ddof
        As for `mfxarray.minflux.traces.table.traces`.
    drift
        The drift to subtract from the positions first: a result of
        `mfxarray.minflux.drift.estimate.estimate_drift`, or its preset; False for none. By default
        that of the preset, and none where it was subtracted before or there are several washes.
        Where no drift can be found ``attrs["notes"]`` says why, and the sheet goes without.
    frc
        Fourier ring correlation of the localizations, a Dataset with ``resolution`` (m) and
        ``correlation`` along ``frequency`` (1/m), of which the mean over ``repeat`` is taken; or
        such Datasets under "localizations" and "combined", the traces' mean positions. NaN without.

    Returns
    -------
    xarray.Dataset
        ``localizations``, ``traces``, ``fraction_valid``, ``dimensions``, ``duration``,
        ``event_rate``, ``quantile_range``; for every quantity its ``_median`` (``_mean`` of the
        localizations in a trace), ``_count`` of values, ``_histogram`` and ``_edge``: ``fbg``,
        ``cfr``, ``t_scan``, ``t_loc``, ``localizations_per_trace``, ``sigma_x``, ``sigma_y``,
        ``sigma_z``, ``sigma_r`` of traces of at least 5 localizations, ``standard_error_r``,
        ``standard_error_z`` and ``standard_error_xyz`` of at least 3; ``image``; ``drift`` along
        ``drift_time``, ``drift_span`` and ``drift_residual``; ``frc_resolution`` and
        ``frc_combined_resolution``. ``attrs["notes"]`` says what is as one would not expect.

    Raises
    ------
    ValueError
        If there is no localization, or a parameter is wrong.

    Notes
    -----
    Lazy but for what must be known: the drift (see its cost there), the traces as by
    `mfxarray.minflux.traces.table.traces`, and two passes over positions. Computed together, the
    rest reads the rows twice, because exact medians need it. Values of traces come together, about
    300 bytes a trace; of localizations only those as close to a quantile as 1/16 of an octave are
    held, 16 bytes each. The same bits for every chunking.

    Histograms do not count what lies beyond their edges, but ``_count`` and the medians do.
    ``cfr`` is ``efc / efo`` of the last iteration in which fewer than half of either are missing.
    ``t_scan`` is taken in the order of time, not of ids, and overlapping traces have none.
    """
    settings, correlations = sheet_settings(preset), correlations_of(frc)
    shown = shown_positions(ds, drift, settings.drift)
    data, notes = shown.localizations, list(shown.notes)
    known = survey(data)
    table = traces(data, ddof=ddof, medians=(), photons=None)
    notes += [known.cfr.text] if known.cfr.text else []
    variables = {**_totals(data, table, known, notes), **frc_variables(correlations)}
    values, used = values_of(data, table, known, settings), used_rows(data)
    for panel in settings.panels:
        variables |= panel_variables(panel, values[panel.name], used)
    if known.cfr.iteration is not None:
        variables["cfr_median"][2]["iteration"] = known.cfr.iteration
    variables |= _image(data, known) | _drift_variables(shown.drift)
    coords: dict[str, Any] = {
        name: variables.pop(name) for name in list(variables) if variables[name][0] == (name,)
    }
    coords["axis"] = ("axis", list(AXES), {"long_name": "axis of space"})
    parameters = {"preset": preset if isinstance(preset, str) else "own", "ddof": ddof}
    parameters["drift"] = drift if isinstance(drift, str | bool) else drift is not None
    others = {name: one.attrs for name, one in correlations.items()}
    if shown.drift is not None:
        others["drift"] = shown.drift.attrs
    attrs = record(ds.attrs, "statistics", parameters, others=others)
    return xr.Dataset(variables, coords, {**attrs, "notes": notes})


def _totals(ds: xr.Dataset, table: xr.Dataset, known: Survey, notes: list[str]) -> Variables:
    span, n_traces = time_span(table), table.sizes["trace"]
    rate = da.where(span > 0, n_traces / da.maximum(span, np.finfo(float).tiny), np.nan)
    return {
        "localizations": ((), np.int64(known.count), _attrs("1", "localizations that count")),
        "traces": ((), np.int64(n_traces), _attrs("1", "traces")),
        "fraction_valid": ((), _fraction_valid(ds, notes), _attrs("1", "valid localizations")),
        "dimensions": ((), np.int64(known.dimensions), _attrs("1", "axes that were measured")),
        "duration": ((), span, _attrs("s", "time from the first to the last localization")),
        "event_rate": ((), rate, _attrs("Hz", "traces in a second")),
        "quantile_range": (
            ("axis", "bound"),
            known.ranges,
            _attrs("m", "Hazen quantiles 0.01 and 0.99 of the positions"),
        ),
    }


def _attrs(units: str, long_name: str) -> dict[str, str]:
    return {"units": units, "long_name": long_name}


def _fraction_valid(ds: xr.Dataset, notes: list[str]) -> Any:
    """Return how many of all localizations are valid, NaN where that can no longer be told."""
    steps = history(ds.attrs)
    left_out = any(
        entry["step"] == "compact" or entry["parameters"].get("view") == "valid" for entry in steps
    )
    if "vld" not in ds or left_out:
        why = "invalid localizations were left out before" if left_out else "the data do not tell"
        notes.append(f"fraction valid: not known, {why}")
        return np.nan
    valid = dask_rows(ds["vld"])
    return da.sum(valid, dtype=np.int64) / valid.shape[0]


def _image(ds: xr.Dataset, known: Survey) -> Variables:
    """Return how many localizations lie in each pixel of the plane, and the pixels' edges."""
    low, high = known.limits[:2].T / _NM
    step = _pixel(float((high - low).max()) + 2 * _MARGIN_NM)
    margin = max(_MARGIN_NM, step)
    low, high = np.floor(low / margin) * margin, np.ceil(high / margin) * margin
    high = np.maximum(high, low + margin)
    bins = [round(side / step) for side in (high - low).tolist()]
    used = used_rows(ds)
    points = position_rows(ds).rechunk({0: used.chunks[0]})[:, :2]
    points = da.where(used[:, None], points, np.nan)
    (left, right), (bottom, top) = np.stack([low, high], axis=1).tolist()
    limits = ((left * _NM, right * _NM), (bottom * _NM, top * _NM))
    counts = plane_histogram(points, limits, (bins[0], bins[1])).T
    found: Variables = {
        "image": (
            ("image_y", "image_x"),
            counts,
            {**_attrs("1", "localizations in a pixel"), "pixel_m": step * _NM},
        )
    }
    for name, first, count in (("x", left, bins[0]), ("y", bottom, bins[1])):
        middles = (first + step * (np.arange(count) + 0.5)) * _NM
        text = _attrs("m", f"{name} of the pixel centre")
        found[f"image_{name}"] = ((f"image_{name}",), middles, text)
    return found


def _pixel(side_nm: float) -> int:
    """Return the size of a pixel: 1 nm where that makes few enough of them."""
    power = 1
    while True:
        for step in _STEPS:
            if side_nm <= step * power * _MOST_PIXELS:
                return step * power
        power *= 10


def _drift_variables(drift: xr.Dataset | None) -> Variables:
    spans, agree = np.full(len(AXES), np.nan), np.full(len(AXES), np.nan)
    windows = 0
    found: Variables = {}
    if drift is not None:
        curve = drift["drift"].transpose("time", "axis").values
        spans, windows = np.ptp(curve, axis=0), drift.sizes["window"]
        if windows > 2:
            residual = drift["pair_residual"].transpose("pair", "axis").values
            agree = np.sqrt((residual**2).mean(axis=0))
        text = "drift, subtracted from the positions"
        found["drift"] = (("drift_time", "axis"), curve, _attrs("m", text))
        times = (drift["time"].values, dict(drift["time"].attrs))
        found["drift_time"] = (("drift_time",), *times)
    found["drift_span"] = (("axis",), spans, _attrs("m", "largest minus smallest drift"))
    text = "rms disagreement of pairs of time windows; not known of two"
    found["drift_residual"] = (("axis",), agree, _attrs("m", text))
    found["drift_windows"] = ((), np.int64(windows), _attrs("1", "time windows of the drift"))
    return found
