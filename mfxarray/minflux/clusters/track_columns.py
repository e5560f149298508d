"""The columns of a table of tracks: their order, meaning, and how they come of localizations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mfxarray.kernels.traces.aggregation import weighted_means
from mfxarray.kernels.traces.medians import run_medians
from mfxarray.kernels.traces.moments import Column, run_moments, run_sums
from mfxarray.kernels.traces.spreads import trace_spreads
from mfxarray.minflux.traces.statistics import Convention

__all__ = ["CLUSTER_COLUMNS", "SummaryColumn", "columns_of", "known_columns", "made_of"]

Array = np.ndarray[Any, Any]

CLUSTER_COLUMNS = ("cls_meas", "cls_all", "cls_merged_meas", "cls_merged_all")
_NOT_CLUSTERS = ("ltr", "tim", "loc", "lnc", "efo", "photons")

# name, whether along axis, dtype, unit, meaning
SummaryColumn = tuple[str, bool, Any, str, str]
# in the seed's order, then what it does not have
_COLUMNS: tuple[SummaryColumn, ...] = (
    ("tid2", False, np.int64, "1", "number of the track"),
    ("tim", False, float, "s", "mean time"),
    ("loc", True, float, "m", "mean position after bead correction"),
    ("lnc", True, float, "m", "mean position before bead correction"),
    ("ltr", True, float, "m", "mean of the position that is analysed"),
    ("std", False, float, "m", "rms spread over the measured axes"),
    ("se", False, float, "m", "rms standard error of the mean, measured axes"),
    ("nl", False, np.int64, "1", "localizations"),
    ("std_xyz", True, float, "m", "spread"),
    ("se_xyz", True, float, "m", "standard error of the mean"),
    *((name, False, np.int64, "1", "cluster, -1 for none") for name in CLUSTER_COLUMNS),
    ("efo_mean", False, float, "Hz", "mean of efo"),
    ("efo_median", False, float, "Hz", "median of efo"),
    ("photons", False, np.int64, "1", "photons of all localizations"),
    ("start", False, float, "s", "time of the first localization"),
    ("end", False, float, "s", "time of the last localization"),
    ("duration", False, float, "s", "time from the first to the last localization"),
)


def known_columns(labels: list[str]) -> list[SummaryColumn]:
    """Return the columns that there may be; clusters under further names after the seed's."""
    more = [name for name in labels if name not in CLUSTER_COLUMNS]
    own = [column[0] for column in _COLUMNS]
    if clash := [name for name in more if name in (*own, "efo")]:
        raise ValueError(f"{clash[0]!r} is a column of the summary; give clusters another name")
    place = own.index(CLUSTER_COLUMNS[-1]) + 1
    extra = [(name, False, np.int64, "1", "cluster, -1 for none") for name in more]
    return [*_COLUMNS[:place], *extra, *_COLUMNS[place:]]


def made_of(fields: Iterable[str]) -> set[str]:
    """Return the columns that can be made of some fields."""
    made = {column[0] for column in _COLUMNS} | set(fields)
    for field, columns in (
        ("loc", ("loc",)),
        ("lnc", ("lnc",)),
        ("efo", ("efo_mean", "efo_median")),
        ("photons", ("photons",)),
    ):
        if field not in fields:
            made -= set(columns)
    return made


def columns_of(fields: dict[str, Array], begins: Array, convention: Convention) -> dict[str, Array]:
    """Return the columns of tracks, whose rows lie one track after the other."""
    place, tim = fields["ltr"].astype(float), fields["tim"].astype(float)
    moments = run_moments(place, tim, begins)
    spread, pooled, error, pooled_error = trace_spreads(
        moments, convention.ddof, convention.single, convention.least, None
    )
    start, end = moments[:, Column.START], moments[:, Column.END]
    made = {
        "tim": moments[:, Column.MEAN_TIME],
        "ltr": moments[:, Column.MEAN],
        "nl": moments[:, Column.N],
        "std": pooled,
        "se": pooled_error,
        "std_xyz": spread,
        "se_xyz": error,
        "start": start,
        "end": end,
        "duration": end - start,
    }
    alike = np.ones(len(tim))
    for name in ("loc", "lnc"):
        if name in fields:
            made[name] = weighted_means(fields[name], alike, begins)
    if "efo" in fields:
        made["efo_mean"] = weighted_means(fields["efo"][:, None], alike, begins)[:, 0]
        made["efo_median"] = run_medians(fields["efo"], begins)
    if "photons" in fields:
        made["photons"] = run_sums(fields["photons"], begins)
    none = np.full(len(begins), -1)
    made |= dict.fromkeys(CLUSTER_COLUMNS, none)
    return made | {name: fields[name][begins] for name in fields if name not in _NOT_CLUSTERS}
