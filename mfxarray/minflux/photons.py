"""Photons of localizations, counted only in iterations that were executed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dask.array as da
import xarray as xr

from mfxarray.chunked.iterations import sum_chosen, sum_last, sum_repeated
from mfxarray.minflux.relocalised import (
    Choice,
    SequenceLike,
    choose_iterations,
    iteration_numbers,
)
from mfxarray.minflux.rows import ROW, dask_rows
from mfxarray.provenance import record

__all__ = ["photons"]

_MEANING = {
    "last": "photons of the last executed iteration",
    "relocalised": "photons of the iterations that later localizations repeat",
    "all": "photons of all executed iterations",
}
# columns that, besides the trace id, tell traces apart where there are several of them
_TRACE_KEYS = ("wash", "thi", "sqi", "tid")


def photons(
    ds: xr.Dataset,
    which: str = "last",
    *,
    sequence: SequenceLike | None = None,
    iterations: Iterable[int] | None = None,
) -> xr.DataArray:
    """Return the photons (``eco``) of every localization, shape (localization,), int64.

    Parameters
    ----------
    ds
        Localizations with ``eco`` and ``position`` in their iterations.
    which
        "last": the last iteration that was executed, which for a complete localization is the last
        of the sequence. "relocalised": the iterations that every later localization of a trace
        repeats, of which a position is made; in 3D several lateral and axial ones. "all": all.
    sequence
        For "relocalised": a `mfxarray.formats.sequence.Sequence`, its object, or the path of its
        JSON file. If not given, that in the attributes of the data; without one it is inferred
        from the data: the iterations executed by complete localizations after the first of their
        trace.
    iterations
        For "relocalised": the iteration numbers themselves.

    Returns
    -------
    xarray.DataArray
        0 where nothing was executed. ``attrs["decided_by"]`` says what told the iterations and
        ``attrs["iterations"]``, where they are known before computing, which they are.

    Raises
    ------
    ValueError
        If ``which`` is none of the three, the data have no iterations, or the sequence is not
        that of the data.
    DataError
        If the sequence cannot be read; on computing, if the repeated iterations must be inferred
        and no trace has two complete localizations one after the other.

    Notes
    -----
    Lazy. One pass over eco and position; two where the iterations are inferred. An iteration was
    executed where its position is finite: the counts of others are not relied on to be 0.
    """
    _check(ds, which, sequence, iterations)
    tid = _rows_of(ds["tid"])
    eco, position = (_rows_of(ds[name], tid) for name in ("eco", "position"))
    numbers = iteration_numbers(ds)
    choice = Choice(numbers if which == "all" else None, "what was executed")
    if which == "relocalised":
        choice = choose_iterations(ds, sequence, iterations)
    if which == "last":
        data = sum_last(eco, position)
    elif choice.numbers is None:
        data = sum_repeated(eco, position, _valid_rows(ds, tid), _keys(ds, tid))
    else:
        data = sum_chosen(eco, position, [number in choice.numbers for number in numbers])
    coords = {name: coord for name, coord in ds.coords.items() if coord.dims == (ROW,)}
    return xr.DataArray(data, coords, (ROW,), "photons", _attrs(ds, which, choice))


def _check(ds: xr.Dataset, which: str, sequence: Any, iterations: Any) -> None:
    if which not in _MEANING:
        raise ValueError(f"which must be one of {tuple(_MEANING)}, not {which!r}")
    if which != "relocalised" and not (sequence is None and iterations is None):
        raise ValueError(
            f"sequence= and iterations= say which iterations are relocalised; "
            f"leave them out for which={which!r} or ask for which='relocalised'"
        )
    for name in ("eco", "position", "tid"):
        if name not in ds.variables:
            raise ValueError(f"photons need the field {name!r}, which these data do not have")
    for name in ("eco", "position"):
        if not {ROW, "iteration"} <= set(ds[name].dims):
            raise ValueError(
                f"photons are summed over iterations, but {name!r} has dimensions "
                f"{ds[name].dims}; call photons before last_iteration(), and open flat files "
                f"without records=True"
            )


def _attrs(ds: xr.Dataset, which: str, choice: Choice) -> dict[str, Any]:
    told: dict[str, Any] = {"which": which, "decided_by": choice.decided_by}
    if choice.numbers is not None:
        told["iterations"] = list(choice.numbers)
    history = record(ds.attrs, "photons", told)
    text = {"units": "1", "long_name": _MEANING[which], "source_name": "eco"}
    return {**text, **told, "provenance": history["provenance"]}


def _keys(ds: xr.Dataset, like: da.Array) -> list[da.Array]:
    present = [name for name in _TRACE_KEYS if name in ds.variables and ds[name].dims == (ROW,)]
    return [_rows_of(ds[name], like) for name in present]


def _valid_rows(ds: xr.Dataset, like: da.Array) -> da.Array | None:
    return _rows_of(ds["vld"], like) if "vld" in ds else None


def _rows_of(field: xr.DataArray, like: da.Array | None = None) -> da.Array:
    """Return a field as a dask array without reading it, even where xarray reads on demand."""
    if field.chunks is None:
        rows = field.encoding.get("preferred_chunks", {}).get(ROW, -1)
        field = field.chunk({ROW: rows})
    ordered = [name for name in (ROW, "iteration", "axis") if name in field.dims]
    return dask_rows(field.transpose(*ordered), like)
