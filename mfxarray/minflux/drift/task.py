"""The means of traces and time windows that all steps of an alignment share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfxarray.kernels.drift.lags import Search
from mfxarray.kernels.drift.peaks import width_of
from mfxarray.kernels.drift.points import Lattice, Windows
from mfxarray.kernels.drift.solve import Curve
from mfxarray.kernels.drift.traces import Traces, trace_table
from mfxarray.minflux.drift.settings import DriftSettings

__all__ = ["Task", "table_of"]

Array = np.ndarray[Any, Any]

# lags beyond this share of the field would see its edges
_SHARE = 0.3


@dataclass(frozen=True)
class Task:
    """What all steps share."""

    traces: Traces
    windows: Windows
    dimensions: int
    settings: DriftSettings

    @cached_property
    def number(self) -> Array:
        """Return the window of each trace."""
        return self.windows.number_of(self.traces.time)

    @cached_property
    def counts(self) -> Array:
        """Return the traces of each window."""
        return np.bincount(self.number[self.number >= 0], minlength=self.windows.count)

    @cached_property
    def times(self) -> Array:
        """Return the mean time of the traces of each window, seconds."""
        inside = self.number >= 0
        own = self.traces.time[inside] - self.windows.start
        sums = np.bincount(self.number[inside], own, self.windows.count)
        return np.asarray(self.windows.start + sums / self.counts)

    @cached_property
    def pairs(self) -> Array:
        """Return the compared windows."""
        return self.search().pairs()

    def search(self) -> Search:
        """Return which pairs count."""
        count = self.windows.count
        distance = min(self.settings.max_distance or count, count)
        return Search(self.settings.reach(), count, distance)

    def factors(self) -> list[int]:
        """Return factors of the pixel, the largest with lags much smaller than the field."""
        reach = self.settings.reach() * float(self.settings.pixel or 0.0)
        low, high = np.quantile(self.traces.position[:, :2], [0.02, 0.98], axis=0)
        most = float((high - low).max()) * _SHARE / reach
        return [1, *(factor for factor in sorted(self.settings.coarse) if factor <= most)]

    def surely(self) -> float:
        """Return the logarithm of the chance below which a pair counts."""
        return float(np.log(self.settings.false_alarm / len(self.pairs)))

    def width(self, factor: float) -> float:
        """Return the width of the Gaussian of matches, metres."""
        return float(self.settings.centroid or 0.0) * factor * float(self.settings.pixel or 0.0)

    def corrected(self, values: Array) -> Traces:
        """Return the traces without a drift."""
        curve = Curve(self.times, values, self.settings.beyond)
        return self.traces.moved(curve(self.traces.time))


def table_of(task: Task, traces: Traces, factor: float) -> tuple[Lattice, Array]:
    """Return pixels and the table of traces, in which a place as wide as a peak counts once."""
    settings = task.settings
    pixel = float(settings.pixel or 0.0) * factor
    lattice = Lattice(pixel, task.dimensions, max(settings.reach() // 4, 1))
    radius = 2.0 * width_of(settings.peak()) * pixel
    return lattice, trace_table(traces, task.windows, lattice, radius)
