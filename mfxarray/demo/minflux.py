"""The demo's MINFLUX job: filter, compact, traces, stores and pictures of two washes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray import plot
from mfxarray.demo.report import Result, Row
from mfxarray.jobs.progress import progress
from mfxarray.minflux.filtering.filters import compact, filter_localizations
from mfxarray.minflux.traces.table import traces
from mfxarray.opening.minflux import open_minflux
from mfxarray.simulate.minflux import MinfluxTruth, simulate_washes
from mfxarray.stores.parquet import open_parquet, write_parquet
from mfxarray.stores.zarr_store import open_zarr, write_zarr

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

__all__ = ["minflux_job"]

Array = np.ndarray[Any, Any]

# little, as after the correction by beads, which is not part of this job; the jump of the stage
# between the washes stays
_DRIFT_M_PER_S = (2e-13, -1e-13, 1e-13)
_BOUNDS = {"efo": (13_000.0, 48_000.0), "cfr": (None, 0.8)}


def minflux_job(place: Path, localizations: int, seed: int, at: Client | None) -> list[Result]:
    """Return the results of two simulated washes of one sample."""
    truths = simulate_washes(
        place / "raw",
        washes=2,
        localizations=localizations,
        seed=seed,
        drift_m_per_s=_DRIFT_M_PER_S,
    )
    return [_wash(place, number, truth, at) for number, truth in enumerate(truths)]


def _wash(place: Path, number: int, truth: MinfluxTruth, at: Client | None) -> Result:
    name = f"wash{number}"
    store, table = place / f"minflux/{name}.zarr", place / f"minflux/{name}_traces.parquet"
    run = open_minflux(place / f"raw/{name}.npy")
    with progress(f"MINFLUX wash {number}: filter, traces, stores", at):
        good = compact(filter_localizations(run, bounds=_BOUNDS))
        write_zarr(good, store, overwrite=True)
        write_parquet(traces(good), table, overwrite=True)
    # from here on only what was written is read, as somebody would a week later
    kept, found = open_zarr(store), open_parquet(table)
    with progress(f"MINFLUX wash {number}: pictures", at):
        picture = plot.localizations(kept, title=name)
        plot.save(picture, place / f"minflux/{name}.png")
        plot.save(plot.traces(found, title=name), place / f"minflux/{name}_traces.png")
    rows = (
        Row("localizations in the file", run.sizes["localization"], int(truth.trace_rows.sum())),
        Row(
            "  invalid", int((~run["vld"]).sum()), int((truth.trace_rows - truth.trace_valid).sum())
        ),
        Row("  kept by vld, efo, cfr", kept.sizes["localization"]),
        *_trace_rows(found.compute(), truth),
    )
    made = (f"minflux/{name}.zarr", f"minflux/{name}_traces.parquet")
    pictures = (f"minflux/{name}.png", f"minflux/{name}_traces.png")
    return Result(f"MINFLUX wash {number}", rows, (*made, *pictures), _truth(truth))


def _trace_rows(found: xr.Dataset, truth: MinfluxTruth) -> list[Row]:
    n = found["n"].values
    place = np.searchsorted(truth.trace_tid, found["tid"].values)
    single = ~truth.trace_double[place]
    measurable = ~truth.trace_double & (truth.trace_valid > 0)
    doubles = truth.trace_double & (truth.trace_valid > 0)
    rows = [
        Row("traces of one emitter", int(single.sum()), int(measurable.sum())),
        Row(
            "traces of two emitters at once, left",
            int((~single).sum()),
            int(doubles.sum()),
        ),
    ]
    spread, degrees = found["spread"].values, n - 1.0
    many = n > 1
    pooled = np.sqrt((degrees[many, None] * spread[many] ** 2).sum(0) / degrees[many].sum())
    for axis, value, known in zip("xyz", pooled, truth.precision_m, strict=True):
        rows.append(Row(f"precision {axis}, all traces pooled", value * 1e9, known * 1e9, "nm", 3))
    centre = truth.trace_centre[place] + truth.motion.at(found["mean_time"].values)
    # the mean of n positions is known to precision / sqrt(n), so this is 1 if all is right
    error = (found["centroid"].values - centre) * np.sqrt(n)[:, None] / truth.precision_m
    rows.append(Row("error of centroids over that expected", _rms(error), 1.0, "", 3))
    return rows


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _truth(truth: MinfluxTruth) -> dict[str, Any]:
    return {
        "precision_m": list(truth.precision_m),
        "offset_m": list(truth.motion.offset_m),
        "drift_m_per_s": list(truth.motion.drift_m_per_s),
        "duration_s": truth.duration_s,
        "emitters": len(truth.emitters),
        "bead_positions_m": truth.bead_positions.tolist(),
        "trace_tid": truth.trace_tid.tolist(),
        "trace_emitter": truth.trace_emitter.tolist(),
        "trace_double": truth.trace_double.tolist(),
        "trace_valid": truth.trace_valid.tolist(),
    }
