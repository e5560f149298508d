"""The channel of every localization or trace, by a mixture, thresholds or windows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mfxarray.chunked.blocks import as_dask, graph_array, reread
from mfxarray.chunked.trace_rows import values_of_rows
from mfxarray.kernels.channels.labels import label_by_mixture, label_by_windows, vote_runs
from mfxarray.minflux.channels.values import (
    Rows,
    is_table,
    point_values,
    reduce_values,
    rows_of,
    trace_values,
)
from mfxarray.provenance import record

__all__ = ["assign_channels"]

Array = np.ndarray[Any, Any]
Window = tuple[float, float]

_VOTES = ("majority", "mean", "median")
BOUNDARIES = "boundaries"


def assign_channels(
    ds: xr.Dataset,
    fit: xr.Dataset | None = None,
    *,
    thresholds: Sequence[float] | str | None = None,
    windows: Sequence[Window] | None = None,
    field: str | None = None,
    min_confidence: float = 0.5,
    per: str = "trace",
    vote: str | None = None,
    agreement: float = 0.5,
) -> xr.Dataset:
    """Return the Dataset with the ``channel`` of every localization, or trace of a table.

    Parameters
    ----------
    ds
        Localizations or a table of traces.
    fit
        Result of `fit_mixture` or `choose_components`. Channels are its components, so their
        numbers rise with the mean.
    thresholds
        Rising values that separate the channels, instead of the likeliest component; a value on a
        threshold belongs to the higher channel. "boundaries" takes those of the fit.
    windows
        Lowest and highest value of each channel, both included; the first that holds a value wins,
        and outside all there is no channel.
    field
        The variable that is looked at, see `fit_mixture`; that of the fit by default, else dcr.
    min_confidence
        Probability that a channel needs; 0.5 to 1 in practice.
    per
        "trace": all localizations of a trace have the channel of the trace. "localization".
    vote
        How a trace gets its channel: by the "mean" or the "median" of its values, or by the
        "majority" of the channels that its localizations have by themselves. By default the
        statistic of a fit per trace, else "majority".
    agreement
        Of "majority": share of the localizations with a value, those without a channel among them,
        that must be of one channel.

    Returns
    -------
    xarray.Dataset
        With ``channel`` (int64; -1 for none: not used, no value, too uncertain, or a tie) and
        ``channel_probability``: of the likeliest component; with thresholds or windows that of the
        component of the same number, or 1 and 0 without a fit; of "majority" the share of the
        localizations that agree. It is there for channel -1 as well, and NaN without a value.

    Raises
    ------
    ValueError
        If a parameter makes no sense, or nothing tells the channels.

    Notes
    -----
    Lazy, on a fit that is lazy too: then the field is read once more after the fit is made. Load
    the fit first (``fit.load()``) to see it and to have it made only once. Channels by the
    likeliest component may not rise with the value: far out the widest component wins on both
    sides. With ``thresholds="boundaries"`` they do.
    """
    _check(fit, thresholds, windows, min_confidence, agreement)
    how, name = _vote_of(fit, vote), field or (fit.attrs["field"] if fit is not None else "dcr")
    if per not in ("trace", "localization"):
        raise ValueError(f"per must be 'trace' or 'localization', not {per!r}")
    label = _Labels(fit, thresholds, windows, min_confidence)
    dim, table = "localization", is_table(ds)
    values = point_values(ds, name)
    values = reread(values, "channels") if label.lazy else values
    if table or per == "localization":
        if table and (per != "trace" or vote == "majority"):
            raise ValueError("a table of traces has no localizations to ask one by one")
        dim, found = "trace" if table else dim, label(values)
    else:
        found = _of_traces(values, rows_of(ds), label, how, agreement)
    told = {"field": name, "thresholds": _plain(thresholds), "windows": _plain(windows)}
    told |= {"min_confidence": min_confidence, "per": per}
    told |= {"vote": how, "agreement": agreement} if per == "trace" and not table else {}
    return _with_channels(ds, dim, found, told, fit)


def _with_channels(
    ds: xr.Dataset, dim: str, found: da.Array, told: dict[str, Any], fit: xr.Dataset | None
) -> xr.Dataset:
    channel = da.map_blocks(_numbers, found, drop_axis=1, dtype=np.int64, meta=np.empty(0, int))
    attrs = record(
        ds.attrs,
        "assign_channels",
        {key: value for key, value in told.items() if value is not None},
        others=None if fit is None else {"fit": fit.attrs},
    )
    text = {"long_name": f"channel by {told['field']}, -1 for none"}
    sure = {"long_name": "probability of the channel", "units": "1"}
    named = ds.assign(
        channel=((dim,), channel, text), channel_probability=((dim,), found[:, 1], sure)
    )
    return named.assign_attrs(attrs)


def _numbers(found: Array) -> Array:
    return np.where(np.isnan(found[:, 0]), -1, found[:, 0]).astype(np.int64)


def _plain(given: Any) -> Any:
    if given is None or isinstance(given, str):
        return given
    return np.asarray(given, float).tolist()


def _check(
    fit: Any, thresholds: Any, windows: Any, min_confidence: float, agreement: float
) -> None:
    if fit is None and thresholds is None and windows is None:
        raise ValueError("give a fit of fit_mixture, thresholds or windows to tell channels by")
    if thresholds is not None and windows is not None:
        raise ValueError("give either thresholds or windows, not both")
    if fit is not None and not {"mean", "width", "fraction", "boundary"} <= set(fit.variables):
        raise ValueError("fit must be a result of fit_mixture or choose_components")
    if not 0 <= min_confidence <= 1 or not 0 <= agreement <= 1:
        raise ValueError("min_confidence and agreement are shares, 0 to 1")


def _vote_of(fit: xr.Dataset | None, vote: str | None) -> str:
    if vote is None:
        by_trace = fit is not None and fit.attrs.get("per") == "trace"
        return str(fit.attrs["statistic"]) if fit is not None and by_trace else "majority"
    if vote not in _VOTES:
        raise ValueError(f"vote must be one of {', '.join(_VOTES)}, not {vote!r}")
    return vote


class _Labels:
    """Channel and probability of values, shape (value, 2).

    Attributes
    ----------
    lazy
        Whether the fit is still to be made.
    channels
        Number of channels.
    """

    def __init__(self, fit: xr.Dataset | None, thresholds: Any, windows: Any, least: float) -> None:
        names = () if fit is None else ("mean", "width", "fraction", "boundary")
        self._arrays = [] if fit is None else [fit[name].data for name in names]
        self.lazy = any(isinstance(one, da.Array) for one in self._arrays)
        self._own = isinstance(thresholds, str)
        if self._own and (thresholds != BOUNDARIES or fit is None):
            raise ValueError(f"thresholds must be numbers, or {BOUNDARIES!r} of a fit")
        self._windows, self._closed = _windows_of(None if self._own else thresholds, windows)
        components = 0 if fit is None else fit.sizes["component"]
        self.channels = components if self._windows is None else len(self._windows)
        if fit is not None and self.channels > components:
            raise ValueError(
                f"{self.channels} channels by hand and a fit of {components} components: give no "
                "fit, or one with a component for every channel"
            )
        self._least = least

    def __call__(self, values: da.Array) -> da.Array:
        """Return channels and probabilities, chunked as the values."""
        give = partial(
            _label_block,
            windows=self._windows,
            own=self._own,
            closed=self._closed,
            least=self._least,
        )
        fit = [as_dask(one).rechunk(-1) for one in self._arrays]
        name = f"channels-{tokenize(values, give, *fit)}"
        parts = [(one.name, 0) for one in fit]
        tasks = {
            (name, block, 0): (give, (values.name, block), parts)
            for block in range(values.numblocks[0])
        }
        return graph_array(name, tasks, (values, *fit), (values.chunks[0], (2,)), float)


def _windows_of(thresholds: Any, windows: Any) -> tuple[Array | None, bool]:
    """Return the windows, shape (channel, 2), and whether their upper ends are included."""
    if thresholds is not None:
        found = np.asarray(thresholds, float)
        if found.ndim != 1 or not np.isfinite(found).all() or (np.diff(found) <= 0).any():
            raise ValueError(f"thresholds are rising numbers, [0.55] for example, not {thresholds}")
        ends = np.concatenate([[-np.inf], found, [np.inf]])
        return np.column_stack([ends[:-1], ends[1:]]), False
    if windows is None:
        return None, False
    found = np.asarray(windows, float)
    if found.ndim != 2 or found.shape[1] != 2 or not (found[:, 0] <= found[:, 1]).all():
        raise ValueError(f"windows are pairs (low, high) with low <= high, not {windows}")
    return found, True


def _label_block(
    values: Array, fit: list[Array], *, windows: Array | None, own: bool, closed: bool, least: float
) -> Array:
    mixture = (fit[0], fit[1], fit[2]) if fit else None
    if own:
        windows = _between(fit[3], int(np.isfinite(fit[0]).sum()))
    if windows is None and mixture is not None:
        return label_by_mixture(values, *mixture, least)
    bounds = np.empty((0, 2)) if windows is None else windows
    return label_by_windows(values, bounds, closed=closed, mixture=mixture, least=least)


def _between(boundary: Array, components: int) -> Array:
    """Return the windows of components; raises where nothing separates two of them."""
    inner = boundary[: components - 1]
    if np.isnan(inner).any():
        raise ValueError(
            "nothing separates two neighbouring components of the fit, so there is no boundary; "
            "fit fewer components, or give thresholds by hand"
        )
    ends = np.concatenate([[-np.inf], inner, [np.inf]])
    return np.column_stack([ends[:-1], ends[1:]])


def _of_traces(
    values: da.Array, rows: Rows, label: _Labels, vote: str, agreement: float
) -> da.Array:
    """Return channel and probability of the trace of every localization."""
    if label.lazy:
        again = [reread(one, "channels") for one in (rows.used, *rows.keys)]
        rows = Rows(again[0], again[1:], rows.index)
    if vote == "majority":
        count = partial(_majority, channels=label.channels, agreement=agreement)
        table = reduce_values(count, [label(values)], rows)
    else:
        table = label(trace_values(values, None, rows, vote)[0])
    columns = [values_of_rows(table[:, one], rows.used, rows.keys, rows.index) for one in (0, 1)]
    return da.stack(columns, axis=1).rechunk({1: -1})


def _majority(columns: list[Array], starts: Array, *, channels: int, agreement: float) -> Array:
    return vote_runs(columns[0], starts, channels, agreement)
