"""Translations of the frames of a stack onto its first frame.

Frames are registered in groups, the means of the groups onto each other, and then every frame onto
the mean of all others. Groups are counted from frame 0, so chunks do not change the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.correlation import Search, locate, prepare, target

__all__ = [
    "GROUP",
    "Group",
    "Running",
    "add_group",
    "refine_frames",
    "register_group",
    "settle",
    "start",
]

Array = np.ndarray[Any, Any]

# frames registered among themselves first, counted from frame 0 so that chunks do not matter:
# groups run in parallel, and only their means wait for each other
GROUP = 16
# within a group the reference is renewed at every power of two and every so many frames
_RENEW = 8


@dataclass(frozen=True)
class Group:
    """Frames registered onto the first one among them.

    Attributes
    ----------
    mean
        Mean of the frames on the field of the first one, shape (y, x), float32.
    cover
        Frames that cover each pixel, shape (y, x), uint16.
    table
        Shape (frame, 4): dy, dx as used, score, 1 where confident.
    """

    mean: Array
    cover: Array
    table: Array


@dataclass(frozen=True)
class Running:
    """The state of a registration of groups against the sum of all groups before.

    Attributes
    ----------
    total
        Sum of the registered frames on the field of frame 0, shape (y, x), float64.
    cover
        Frames that cover each pixel, shape (y, x).
    shift
        Last confident translation, which a group without a confident one inherits.
    n_groups
        Groups so far.
    """

    total: Array
    cover: Array
    shift: tuple[int, int]
    n_groups: int


def register_group(planes: Array, search: Search) -> Group:
    """Return frames registered onto the first, each against the mean of those before it.

    Parameters
    ----------
    planes
        Counts, shape (frame, y, x), at most `GROUP` frames.
    search
        Where to look. A frame without a confident translation inherits the last one.
    """
    total, cover = np.zeros(search.shape), np.zeros(search.shape, np.int64)
    table = np.zeros((len(planes), 4))
    reference, shift = None, (0, 0)
    for index, frame in enumerate(prepare(planes)):
        if index == 0:
            found = (0, 0, np.inf, 1.0)
        else:
            if reference is None or _renews(index):
                reference = target(total / cover, search)
            found = locate(frame, reference, search)
        shift = (found[0], found[1]) if found[3] else shift
        table[index] = *shift, *found[2:]
        _add_shifted(total, cover, frame, 1, *shift, 0, 0)
    return Group((total / cover).astype(np.float32), cover.astype(np.uint16), table)


def start(search: Search) -> Running:
    """Return the state before the first group."""
    return Running(np.zeros(search.shape), np.zeros(search.shape, np.int64), (0, 0), 0)


def add_group(state: Running, group: Group, search: Search) -> tuple[Running, Array]:
    """Return the state with one group more, and where its frames were put.

    Returns
    -------
    state, table
        The table has shape (frame, 6): dy and dx within the group, dy and dx of the group, score,
        1 where frame and group are confident.
    """
    found = (0, 0, np.inf, 1.0)
    if state.n_groups:
        found = locate(group.mean, target(state.total / state.cover, search), search)
    shift = (found[0], found[1]) if found[3] else state.shift
    total, cover = state.total.copy(), state.cover.copy()
    _add_weighted(total, cover, group.mean, group.cover, *shift)
    table = np.empty((len(group.table), 6))
    table[:, :2], table[:, 2:4] = group.table[:, :2], shift
    table[:, 4] = np.minimum(group.table[:, 2], found[2])
    table[:, 5] = group.table[:, 3] * found[3]
    return Running(total, cover, shift, state.n_groups + 1), table


def refine_frames(state: Running, planes: Array, places: Array, search: Search) -> Array:
    """Return a table for frames, each against the mean of all the others.

    Parameters
    ----------
    state
        State after the last group of the stack.
    planes
        Counts, shape (frame, y, x).
    places
        Where these frames were put, shape (frame, 6), see `add_group`.
    search
        Where to look.

    Returns
    -------
    numpy.ndarray
        Shape (frame, 4): dy, dx, score, 1 where confident.
    """
    found = np.empty((len(planes), 4))
    everywhere = int(state.cover.max())
    for row, frame, place in zip(found, prepare(planes), places, strict=True):
        if everywhere < 3:
            row[:] = place[0] + place[2], place[1] + place[3], *place[4:]
            continue
        total, cover = state.total.copy(), state.cover.copy()
        _add_shifted(total, cover, frame, -1, *(int(shift) for shift in place[:4]))
        rows, columns = _seen_rectangle(cover > 0)
        mean = total[rows, columns] / np.maximum(cover[rows, columns], 1)
        row[:] = locate(frame, target(mean, search, rows, columns), search)
    return found


def settle(table: Array) -> Array:
    """Return a table in which frames without a confident translation inherit the last one.

    The translations are counted from frame 0: that of frame 0 is subtracted from all.
    """
    settled = table.copy()
    shift = np.zeros(2)
    for row in settled:
        if row[3]:
            shift = row[:2].copy()
        else:
            row[:2] = shift
    settled[:, :2] -= settled[0, :2]
    return settled


def _renews(index: int) -> bool:
    return index & (index - 1) == 0 or index % _RENEW == 0


def _seen_rectangle(seen: Array) -> tuple[slice, slice]:
    """Return rows and columns of a rectangle without unseen pixels, cut from the edges inwards."""
    bounds = [0, seen.shape[0], 0, seen.shape[1]]
    while True:
        part = seen[bounds[0] : bounds[1], bounds[2] : bounds[3]]
        if part.all():
            return slice(*bounds[:2]), slice(*bounds[2:])
        edges = [1 - edge.mean() for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmax(edges))
        bounds[worst] += 1 if worst in (0, 2) else -1


@njit(nogil=True, cache=True, error_model="numpy")
def _add_shifted(total, cover, frame, sign, dy, dx, dy2, dx2):  # type: ignore[no-untyped-def]
    # put on the field of a group by (dy, dx) and with it on that of frame 0 by (dy2, dx2); what
    # leaves either field is lost
    height, width = frame.shape
    for y in range(max(0, -dy, -dy - dy2), min(height, height - dy, height - dy - dy2)):
        for x in range(max(0, -dx, -dx - dx2), min(width, width - dx, width - dx - dx2)):
            total[y + dy + dy2, x + dx + dx2] += sign * frame[y, x]
            cover[y + dy + dy2, x + dx + dx2] += sign


@njit(nogil=True, cache=True, error_model="numpy")
def _add_weighted(total, cover, mean, weight, dy, dx):  # type: ignore[no-untyped-def]
    height, width = mean.shape
    for y in range(max(0, -dy), min(height, height - dy)):
        for x in range(max(0, -dx), min(width, width - dx)):
            total[y + dy, x + dx] += np.float64(mean[y, x]) * weight[y, x]
            cover[y + dy, x + dx] += weight[y, x]
