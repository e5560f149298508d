"""Localizations of flat records as a table of nested records, made while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.tables import Path, Table, leaf_dtype
from mfxarray.kernels.record_numbers import last_number, number_records, start_state
from mfxarray.records.record_keys import as_flags, fetch_rows, keys_of, row_pieces
from mfxarray.records.regroup_index import RegroupIndex, Stretch
from mfxarray.records.regroup_layout import Layout, Target, layout_of
from mfxarray.records.row_order import fetch_ordered

__all__ = ["Regrouped"]

Array = np.ndarray[Any, Any]

# part of the identity: a change of what `read` gives must change it
_VERSION = 1
_ITERATION = "itr"


@dataclass(frozen=True)
class _Batch:
    """Records of some localizations, in order; all that lie between ``read`` and the result.

    Attributes
    ----------
    place
        Place in the result of the localization of each record, shape (n,), never falling.
    iteration
        Iteration number of each record, shape (n,).
    """

    place: Array
    iteration: Array
    fetched: Any = field(repr=False)
    chosen: Array | slice = field(repr=False)

    def get(self, name: str) -> Array:
        """Return a field of the records, as stored."""
        found: Array = self.fetched(name)[self.chosen]
        return found

    @cached_property
    def lasts(self) -> Array:
        """Places in the batch of the last record of each localization."""
        return np.flatnonzero(np.append(self.place[1:] != self.place[:-1], True))

    @cached_property
    def firsts(self) -> Array:
        """Places in the batch of the first record of each localization."""
        return np.append(0, self.lasts[:-1] + 1)


@dataclass(frozen=True)
class Regrouped:
    """Flat records as localizations: a `Table` of nested records.

    Iterations that were not executed are NaN in floats, 0 in whole numbers and False in flags, as
    in Imspector's nested exports. See `regroup_layout.layout_of` for the fields.

    Attributes
    ----------
    base
        The flat records.
    index
        Their index.

    Notes
    -----
    A read takes the records of the range, at most some thousand localizations before and after
    it, and 8 MB besides the result.

    References
    ----------
    minflux-formats.md, section a.2: the sequential rule.
    """

    base: Table
    index: RegroupIndex
    grain: ClassVar[int] = 1

    @property
    def n_rows(self) -> int:
        """Number of localizations."""
        return self.index.n_localizations

    @property
    def columnar(self) -> bool:
        """Whether a column is read without the other fields."""
        return self.base.columnar

    @property
    def dtype(self) -> np.dtype[Any]:
        """Nested record of a localization."""
        return self._layout.dtype

    def identity(self) -> str:
        """Return the text of the flat records with view and numbers."""
        index = self.index
        shape = f"{index.n_localizations} x {index.n_iterations}"
        return f"Regrouped({_VERSION}, {index.view}, {shape}, {self.base.identity()})"

    def trace_bound(self, row: int, window: int | None = None) -> int:
        """Return a localization at which a trace begins; see `RegroupIndex.trace_bound`."""
        return self.index.trace_bound(row, window)

    def read(self, start: int, stop: int) -> Array:
        """Return localizations ``start`` to ``stop`` as nested records, shape (stop - start,).

        Raises
        ------
        DataError
            If the records cannot be read or changed since they were opened.
        """
        layout = self._layout
        out = np.empty(max(stop - start, 0), layout.dtype)
        _raw(out)[...] = _raw(layout.blank())
        inner = [target for target in layout.targets if target.rule == "iteration"]
        nested = _raw(out[_ITERATION])
        for batch in self._batches(start, stop):
            packed = np.empty(len(batch.place), layout.iteration_dtype)
            for target in inner:
                packed[target.path[-1]] = target.values(batch.get(target.source or ""))
            # whole iterations at once: one scatter, not one a field
            nested[batch.place, batch.iteration] = _raw(packed)
            for target in layout.targets[len(inner) :]:
                _put(out[target.path[0]], target, batch)
        return out

    def column(self, path: Path, start: int, stop: int) -> Array:
        """Return one field of these localizations, shape (stop - start, ...).

        Raises
        ------
        DataError
            If the records cannot be read or changed since they were opened.
        ValueError
            If there is no such field.
        """
        target = self._target(path)
        n_rows = max(stop - start, 0)
        dtype, shape = leaf_dtype(self.dtype, path)
        if target is None:
            # a part of a compound, or the whole of it
            found: Array = self.read(start, stop)
            for name in path:
                found = found[name]
            return found
        out = np.empty((n_rows, *shape), dtype)
        blank = self._layout.blank()
        for name in path:
            blank = blank[name]
        out[...] = blank
        if path != (_ITERATION, _ITERATION):
            for batch in self._batches(start, stop):
                _put(out, target, batch)
        return out

    @cached_property
    def _layout(self) -> Layout:
        return layout_of(self.base.dtype, self.index.n_iterations)

    def _target(self, path: Path) -> Target | None:
        """Return the field of a path, None for a part of one."""
        for target in self._layout.targets:
            if target.path == path and target.dtype.base.names is None:
                return target
        return None

    def _batches(self, start: int, stop: int) -> Iterator[_Batch]:
        """Yield the records of localizations ``start`` to ``stop``, bounded in size."""
        for stretch in self.index.stretches(start, stop):
            state = start_state(stretch.localization)
            for first, end in row_pieces(self.base, stretch.start, stretch.stop):
                batch, number = self._batch(stretch, first, end, state)
                if len(batch.place):
                    batch.place[:] -= start
                    yield batch
                if number >= stretch.last:
                    break

    def _batch(self, stretch: Stretch, start: int, stop: int, state: Array) -> tuple[_Batch, int]:
        """Return what a range of records holds of a stretch, and its last localization."""
        order = self.index.order
        if order is None:
            fetch = fetch_rows(self.base, start, stop)
        else:
            fetch = fetch_ordered(self.base, order[start:stop])
        keys = keys_of(fetch, self.base.dtype, stop - start, self.index.view, start)
        keep = keys.keep
        if order is None and len(self.index.threads) > 1:
            keep = keep & (keys.thi == stretch.thread)
        numbers = number_records(keys, keep, state)
        chosen = _compact(np.flatnonzero((numbers >= stretch.first) & (numbers < stretch.last)))
        iteration = keys.itr[chosen]
        if np.any((iteration < 0) | (iteration >= self.index.n_iterations)):
            raise _misfit(start, stop)
        return _Batch(numbers[chosen].copy(), iteration, fetch, chosen), last_number(state)


def _misfit(start: int, stop: int) -> DataError:
    return DataError(
        "the records are not those of which the index of localizations was made",
        place=f"rows {start} to {stop}",
        hint="Remove the cache of the file (.mfxcache) and open it again.",
    )


def _compact(places: Array) -> Array | slice:
    """Return a slice for places without gaps: it takes no copies."""
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _put(out: Array, target: Target, batch: _Batch) -> None:
    """Write one field of a batch into its column."""
    if target.source is None:
        out[batch.place[batch.lasts]] = True
        return
    stored = batch.get(target.source)
    if target.rule == "iteration":
        out[batch.place, batch.iteration] = target.values(stored)
    elif target.rule == "last":
        # a localization that goes on in the next batch is written again there
        out[batch.place[batch.lasts]] = target.values(stored[batch.lasts])
    else:
        out[batch.place[batch.lasts]] |= np.logical_or.reduceat(as_flags(stored), batch.firsts)


def _raw(values: Array) -> Array:
    """Return records as opaque bytes, which numpy copies whole."""
    return values.view(np.dtype((np.void, values.dtype.itemsize)))
