"""The most frequent label of each group, with ties that are decided the same way always."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["dense_ranks", "grouped_modes"]

Array = np.ndarray[Any, Any]


def grouped_modes(groups: Array, labels: Array) -> tuple[Array, Array]:
    """Return the groups in rising order and the most frequent label of each.

    Parameters
    ----------
    groups
        Group of each row, shape (row,), or shape (row, column) for groups of several numbers.
    labels
        Label of each row, shape (row,), integer, -1 for none.

    Returns
    -------
    groups, modes
        Shapes (group,) or (group, column), and (group,). Of several labels that are equally
        frequent the smallest one that is not negative wins; -1 wins alone only.
    """
    columns = groups if groups.ndim == 2 else groups[:, None]
    if not len(labels):
        return groups[:0], labels[:0]
    order = np.lexsort((labels, *columns.T[::-1]))
    names, sorted_labels = columns[order], labels[order]
    new_group = np.append(True, (names[1:] != names[:-1]).any(axis=1))
    new = new_group | np.append(True, sorted_labels[1:] != sorted_labels[:-1])
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, len(order)))
    group = np.cumsum(new_group)[starts] - 1
    found = sorted_labels[starts]
    # the first of each group: most rows, then labels before none, then the smallest
    best = np.lexsort((found, found < 0, -counts, group))
    firsts = best[np.append(True, group[best][1:] != group[best][:-1])]
    kept = groups[order[new_group]]
    return kept, found[firsts]


def dense_ranks(starts: Array, groups: Array, wanted: Array) -> tuple[Array, Array]:
    """Return for each row the rank of its group among the wanted ones of its run, and their number.

    Parameters
    ----------
    starts
        First row of each run, shape (run,).
    groups
        Group of each row, shape (row,), integer.
    wanted
        Which rows count, the same for all rows of a group of a run, shape (row,), bool.

    Returns
    -------
    ranks, counts
        Shapes (row,) and (run,), int64; ranks rise with the groups from 0 in each run, -1 where a
        row does not count.
    """
    ranks, counts = np.full(len(groups), -1, np.int64), np.zeros(len(starts), np.int64)
    rows = np.flatnonzero(wanted)
    if not len(rows):
        return ranks, counts
    run = np.searchsorted(starts, rows, side="right") - 1
    order = np.lexsort((groups[rows], run))
    rows, run = rows[order], run[order]
    new_run = np.append(True, run[1:] != run[:-1])
    new = new_run | np.append(True, groups[rows][1:] != groups[rows][:-1])
    number = np.cumsum(new) - 1
    at_first = number[new_run]
    sizes = np.diff(np.append(at_first, number[-1] + 1))
    ranks[rows] = number - np.repeat(
        at_first, np.diff(np.append(np.flatnonzero(new_run), len(run)))
    )
    counts[run[new_run]] = sizes
    return ranks, counts
