"""Where the localizations of flat records begin: a small index made in one pass over the records.

How many localizations flat records hold is known only after a pass over their ids. That pass keeps
marks about every thousand localizations, from which any range of localizations is found again by
reading little more than its own records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.tables import Table
from mfxarray.kernels.record_numbers import MAX_ITERATIONS, RecordKeys
from mfxarray.records.record_keys import Progress, View, check_flat, key_blocks
from mfxarray.records.row_order import is_interleaved, sorted_rows

if TYPE_CHECKING:
    from mfxarray.kernels.grouping import Scan

__all__ = ["STEP", "RegroupIndex", "Stretch", "build_index"]

Array = np.ndarray[Any, Any]

STEP = 1024
# localizations of mostly invalid tables lie far apart; 64 rows each are 6 MB between two marks
_ROWS_PER_LOCALIZATION = 64


@dataclass(frozen=True)
class Stretch:
    """Records to read, in order, for a range of localizations of one thread.

    Attributes
    ----------
    thread
        Number of the thread.
    localization
        Localization that begins with the first record.
    start, stop
        First row, and one past the last; places in the order of rows where the index has one.
    first, last
        First localization wanted, and one past the last.
    """

    thread: int
    localization: int
    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class RegroupIndex:
    """What is known of the localizations of a table of flat records.

    Attributes
    ----------
    view
        "valid" or "all": the records that count.
    n_rows
        Records of the table.
    n_localizations
        Localizations of the view.
    n_iterations
        K: largest iteration number of all records, in the view or not, plus 1; at least 1.
    n_complete
        Localizations that end, valid, with iteration K - 1.
    threads
        Numbers of the threads, shape (thread,), ascending.
    first
        First localization of each thread, shape (thread,).
    ends
        Row after the last one of each thread, shape (thread,).
    localization, row
        Marks: a localization and the row of its first record, shape (mark,), int64.
    trace_start
        Whether a trace begins at a mark, bool.
    order
        Rows in the order of traces, shape (kept row,), int64, where traces are interleaved; None
        where they are not. ``row`` and ``ends`` are places in it.
    """

    view: View
    n_rows: int
    n_localizations: int
    n_iterations: int
    n_complete: int
    threads: Array = field(repr=False)
    first: Array = field(repr=False)
    ends: Array = field(repr=False)
    localization: Array = field(repr=False)
    row: Array = field(repr=False)
    trace_start: Array = field(repr=False)
    order: Array | None = field(default=None, repr=False)

    def stretches(self, start: int, stop: int) -> Iterator[Stretch]:
        """Yield what to read for localizations ``start`` to ``stop``, thread by thread."""
        borders = [*self.first.tolist(), self.n_localizations]
        for number, thread in enumerate(self.threads.tolist()):
            low, high = max(start, borders[number]), min(stop, borders[number + 1])
            if low >= high:
                continue
            mark = int(np.searchsorted(self.localization, low, "right")) - 1
            after = int(np.searchsorted(self.localization, high, "left"))
            # a thread begins with a mark, so the mark at its end is the next one's first
            inside = high < borders[number + 1] and after < len(self.localization)
            inside = inside and int(self.localization[after]) < borders[number + 1]
            end = int(self.row[after]) if inside else int(self.ends[number])
            begin = int(self.localization[mark])
            yield Stretch(thread, begin, int(self.row[mark]), end, low, high)

    def trace_bound(self, localization: int, window: int | None = None) -> int:
        """Return the nearest localization from the given one on at which a trace surely begins.

        Parameters
        ----------
        localization
            Wished place; up to 0 gives 0, from the end on the number of localizations.
        window
            How far to look; without limit if not given.

        Returns
        -------
        int
            A marked start of a trace, or ``localization`` where none is within the window.

        Notes
        -----
        Reads nothing; marks lie about 1024 localizations apart.
        """
        if localization <= 0:
            return 0
        if localization >= self.n_localizations:
            return self.n_localizations
        starts = self._trace_starts
        place = int(np.searchsorted(starts, localization, "left"))
        found = int(starts[place]) if place < len(starts) else self.n_localizations
        near = window is None or found - localization <= window
        return found if near and place < len(starts) else localization

    @cached_property
    def _trace_starts(self) -> Array:
        # a large file is cut at thousands of places
        return self.localization[self.trace_start]


def build_index(
    table: Table,
    *,
    view: View = "valid",
    progress: Progress | None = None,
    step: int = STEP,
    path: object = None,
) -> RegroupIndex:
    """Return the index of the localizations of flat records.

    Parameters
    ----------
    table
        Flat records. Where ``thi``, ``sqi``, ``fnl`` or ``vld`` is missing, all records are of one
        thread, one sequence, not the end of a sequence, valid.
    view
        "valid" drops invalid records first, "all" keeps them.
    progress
        Is told the share of the work that is done, 0 to 1, after each block.
    step
        Wished localizations between two marks.
    path
        The file, for messages.

    Raises
    ------
    DataError
        If the records are not flat, or an iteration or thread number is not in 0 to 255.
    PlanError
        If traces are interleaved and too many; see Notes.
    ValueError
        If ``view`` is neither "valid" nor "all" or ``step`` is below 1.

    Notes
    -----
    One pass in blocks of 8 MB with some 20 MB of memory, at several GB/s of records from a warm
    file. Records of several threads are numbered thread by thread. Where the trace number falls
    within a thread, a second pass lists the runs of equal trace numbers (8 bytes each, at most
    `row_order.RUNS_CAP`). If a trace comes back after another one, or if several threads are not
    sorted, the order of rows is made explicit (8 bytes a row of the view to keep and some 60 to
    build, at most `row_order.ORDER_CAP` rows).

    References
    ----------
    minflux-formats.md, section a.2: the sequential rule.
    """
    if view not in ("valid", "all"):
        raise ValueError(f"view must be 'valid' or 'all', not {view!r}")
    if step < 1:
        raise ValueError(f"step must be at least 1, not {step}")
    check_flat(table.dtype, path)
    # its compiler takes longer to import than a file to open whose index is known
    from mfxarray.kernels.grouping import Scan

    def blocks() -> Iterator[tuple[int, RecordKeys]]:
        return key_blocks(table, view, path, progress)

    scan = _scanned(blocks(), Scan(step, step * _ROWS_PER_LOCALIZATION), path)
    order = None
    if scan.falls and (len(scan.threads) > 1 or is_interleaved(blocks(), scan.n_runs, path)):
        order, keys = sorted_rows(blocks(), scan.n_kept, path)
        # the largest iteration number is that of all records, not only of those in the order
        again = Scan(step, step * _ROWS_PER_LOCALIZATION, top=scan.top)
        scan = _scanned(keys, again, path)
    return _index(view, table.n_rows, scan, order)


def _scanned(blocks: Iterable[tuple[int, RecordKeys]], scan: Scan, path: object) -> Scan:
    for start, keys in blocks:
        wrong = scan.feed(keys, start)
        if wrong >= 0:
            raise DataError(
                f"iteration number {keys.itr[wrong]}, expected 0 to {MAX_ITERATIONS - 1}",
                path=path,
                place=f"row {start + wrong}, field itr",
                hint="The file is damaged; open it with records=True to look at its records.",
            )
    return scan


def _index(view: View, n_rows: int, scan: Scan, order: Array | None) -> RegroupIndex:
    """Return the index of a finished pass; threads are numbered one after the other."""
    first = np.concatenate([[0], np.cumsum(scan.counts)]).astype(np.int64)
    marks = np.concatenate([np.empty((0, 4), np.int64), *scan.marks])
    # stable: the marks of a thread stay in order
    marks = marks[np.argsort(marks[:, 0], kind="stable")]
    localization = marks[:, 1] + first[np.searchsorted(scan.threads, marks[:, 0])]
    return RegroupIndex(
        view,
        n_rows,
        int(first[-1]),
        max(scan.top + 1, 1),
        scan.n_complete(),
        scan.threads.astype(np.int64),
        first[:-1],
        scan.ends.astype(np.int64),
        localization,
        np.ascontiguousarray(marks[:, 2]),
        marks[:, 3].astype(np.bool_),
        order,
    )
