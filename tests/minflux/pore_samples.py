"""Simulated pores as Datasets."""

from __future__ import annotations

from mfxarray.minflux.traces.table import traces
from mfxarray.simulate.minflux_pores import simulate_pores
from tests.samples import localizations_of

__all__ = ["pore_localizations", "pore_traces"]


def pore_localizations(**settings):
    """Localizations with the pore and corner of each, and the simulation."""
    true = simulate_pores(**settings)
    columns = {"tid": true.tid, "tim": true.tim, "pore": true.pore, "corner": true.corner}
    return localizations_of(true.position, **columns), true


def pore_traces(**settings):
    """The table of traces, computed, with the pore of each, and the simulation."""
    ds, true = pore_localizations(**settings)
    table = traces(ds).compute()
    first = true.tid.searchsorted(table["tid"].values)
    return table.assign(pore=("trace", true.pore[first])), true
