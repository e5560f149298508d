"""Flat records of the newer model to nested ones of the older model.

References
----------
Sections a.1, a.2 and f of the format specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype, record_dtype
from mfxarray.schema import CFR_NOT_MEASURED, LOCALIZATIONS
from mfxarray.writers.casting import cast

__all__ = ["group_starts", "nest", "nest_blocks", "nested_dtype", "scatter"]

_TICK_S = 25e-9
_TRACE = ("tid", "thi", "sqi")
_NOT_A_NUMBER = ("loc", "lnc", "efo", "efc", "dcr")
# a localization has one value of each
_ONCE = frozenset(
    variable.source_name for variable in LOCALIZATIONS if variable.dims == ("localization",)
)
# fields that have another meaning in the nested model, or none
_REMADE = frozenset({ITERATION, "tim", "vld", "sta", "tic"})

Array = np.ndarray[Any, Any]


def nested_dtype(flat: np.dtype[Any], n_iterations: int) -> np.dtype[Any]:
    """Return the vendor's nested record, with the fields that neither model knows at its ends."""
    vendor = record_dtype(n_iterations)
    inner = vendor[ITERATION].base
    known = {*(flat_record_dtype().names or ()), *(inner.names or ()), *(vendor.names or ())}
    unknown = [(name, flat[name]) for name in flat.names or () if name not in known]
    steps = [(name, inner[name]) for name in inner.names or ()]
    steps += [field for field in unknown if field[0] not in _ONCE]
    fields: list[Any] = [(ITERATION, np.dtype(steps), (n_iterations,))]
    fields += [(name, vendor[name]) for name in (vendor.names or ())[1:]]
    return np.dtype(fields + [field for field in unknown if field[0] in _ONCE])


def group_starts(records: Array, before: Array | None = None) -> Array:
    """Return which flat records begin a localization, shape (m,).

    Parameters
    ----------
    records
        Flat records in the order of the file; ``itr`` and ``tid`` are needed, ``thi``, ``sqi`` and
        ``fnl`` are used where they are there.
    before
        The record before the first one, shape (1,).

    Notes
    -----
    A localization begins where the trace changes, the iteration number does not rise, or the record
    before completed the sequence.
    """
    joined = records if before is None else np.concatenate([before, records])
    names = joined.dtype.names or ()
    starts = np.ones(joined.size, bool)
    starts[1:] = joined[ITERATION][1:] <= joined[ITERATION][:-1]
    for name in _TRACE:
        if name in names:
            starts[1:] |= joined[name][1:] != joined[name][:-1]
    if "fnl" in names:
        starts[1:] |= joined["fnl"][:-1]
    return starts[joined.size - records.size :]


def nest(records: Array, n_iterations: int, dtype: np.dtype[Any] | None = None) -> Array:
    """Return one nested record for every localization of flat records.

    Parameters
    ----------
    records
        Flat records of whole localizations in the order of the file, shape (m,).
    n_iterations
        Iterations of a localization, K.
    dtype
        Type of a nested record; `nested_dtype` of theirs if not given.

    Returns
    -------
    numpy.ndarray
        Nested records, shape (n,).

    Raises
    ------
    ValueError
        If an iteration number is not in 0 to K - 1, or a number does not fit its field.

    Notes
    -----
    Iterations that were not executed look as in the vendor's files: NaN in ``loc``, ``lnc``,
    ``efo``, ``efc`` and ``dcr``, the mark -1/32768 in ``cfr``, 0 in counts. ``tic`` is made from
    ``tim``; an iteration that was not executed has the ticks of its executed neighbour, so that the
    last ticks belong to ``tim``. ``vld`` is that of the final iteration, False where the sequence
    was not completed; ``sta`` 1 and 2 (valid) become 0. The ratio of the first detector is kept.
    What flat records do not have is 0, as in aggregated exports: ``ext``, galvo, deflector and beam
    positions, ``act``, ``dos``, ``sky``.
    """
    group = np.cumsum(group_starts(records)) - 1
    n_rows = int(group[-1]) + 1 if group.size else 0
    return scatter(records, group, records[ITERATION], n_rows, n_iterations, dtype)


def nest_blocks(
    blocks: Iterable[Array], n_iterations: int, dtype: np.dtype[Any] | None = None
) -> Iterator[Array]:
    """Yield the nested records of blocks of flat ones; how they are cut changes no record."""
    held: Array | None = None
    for block in blocks:
        records = block if held is None else np.concatenate([held, block])
        if not records.size:
            continue
        # the last localization may go on; it has at most K records
        cut = int(np.flatnonzero(group_starts(records))[-1])
        held = records[cut:].copy()
        if cut:
            yield nest(records[:cut], n_iterations, dtype)
    if held is not None and held.size:
        yield nest(held, n_iterations, dtype)


def scatter(
    records: Array,
    row: Array,
    step: Array,
    n_rows: int,
    n_iterations: int,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Return nested records with flat ones at known places; see `nest` for the rest.

    Parameters
    ----------
    records
        Flat records, shape (m,).
    row, step
        Localization and iteration of each of them, shape (m,); rows do not fall, and each of them
        has a record.
    n_rows
        Number of localizations.
    n_iterations
        Iterations of a localization, K.
    dtype
        Type of a nested record.
    """
    if step.size and not 0 <= int(step.min()) <= int(step.max()) < n_iterations:
        numbers = f"{int(step.min())} to {int(step.max())}"
        raise ValueError(f"iterations {numbers} are no part of a sequence of {n_iterations}")
    target = nested_dtype(records.dtype, n_iterations) if dtype is None else dtype
    found = _empty(n_rows, target, n_iterations)
    first = np.searchsorted(row, np.arange(n_rows))
    last = np.searchsorted(row, np.arange(n_rows), side="right") - 1
    inner = target[ITERATION].base
    for name in records.dtype.names or ():
        if name in _REMADE:
            continue
        if name in (inner.names or ()):
            found[ITERATION][name][row, step] = _fitted(records[name], inner[name], name)
        elif name in (target.names or ()):
            chosen = last if name == "fluo" else first
            found[name] = cast(records[name][chosen], target[name].base, name)
    _fill_ends(found, records, step, last)
    _fill_steps(found, records, row, step, first)
    return found


def _empty(n_rows: int, dtype: np.dtype[Any], n_iterations: int) -> Array:
    found = np.zeros(n_rows, dtype)
    names = dtype[ITERATION].base.names or ()
    for name in _NOT_A_NUMBER:
        if name in names:
            found[ITERATION][name] = np.nan
    if "cfr" in names:
        found[ITERATION]["cfr"] = CFR_NOT_MEASURED
    if ITERATION in names:
        found[ITERATION][ITERATION] = np.arange(n_iterations)
    return found


def _fitted(values: Array, field: np.dtype[Any], name: str) -> Array:
    if name == "dcr" and values.shape[1:] != field.shape:
        values = values[:, 0]
    return cast(values, field.base, name)


def _fill_ends(found: Array, records: Array, step: Array, last: Array) -> None:
    """Fill what the last record of a localization decides: its time and whether it is valid."""
    names = records.dtype.names or ()
    if "tim" in names and "tim" in (found.dtype.names or ()):
        found["tim"] = records["tim"][last]
    if "vld" in (found.dtype.names or ()):
        complete = step[last] == found[ITERATION].shape[1] - 1
        found["vld"] = complete & records["vld"][last] if "vld" in names else complete


def _fill_steps(found: Array, records: Array, row: Array, step: Array, first: Array) -> None:
    names, inner = records.dtype.names or (), found.dtype[ITERATION].base.names or ()
    if "sta" in names and "sta" in inner:
        status = records["sta"]
        found[ITERATION]["sta"][row, step] = np.where((status == 1) | (status == 2), 0, status)
    if "tim" in names and "tic" in inner:
        ticks = _ticks(records["tim"])
        dense = np.zeros(found[ITERATION].shape, np.uint64)
        dense[row, step] = ticks
        filled = np.maximum.accumulate(dense, axis=1)
        filled = np.where(filled == 0, ticks[first][:, np.newaxis], filled)
        found[ITERATION]["tic"] = np.where(dense == 0, filled, dense)


def _ticks(time_s: Array) -> Array:
    known = np.isfinite(time_s) & (time_s > 0)
    return np.rint(np.where(known, time_s, 0.0) / _TICK_S).astype(np.uint64)
