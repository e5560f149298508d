"""Frames onto a reference that is given, onto the frame before, or onto the mean of all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.kernels.beads.registration import COLUMNS, Group, Running, sum_frames, write_row
from mfxarray.kernels.matching import Field, Frame, Reference
from mfxarray.kernels.polish import others
from mfxarray.kernels.stabilise import prepare

__all__ = [
    "Placed",
    "add_neighbours",
    "add_placed",
    "between_bins",
    "fixed_reference",
    "onto_reference",
    "refine_frames",
    "register_neighbours",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Placed:
    """Frames that were put to their places: their sum, its cover, their table."""

    total: Array
    cover: Array
    table: Array


def fixed_reference(image: Array, field: Field) -> Reference:
    """Return a reference made ready from counts, shape (y, x)."""
    return field.reference(prepare(image[None])[0], field.mask > 0)


def onto_reference(planes: Array, reference: Reference, field: Field) -> Placed:
    """Return frames put onto a reference, each for itself."""
    frames = field.frames(planes)
    table = np.zeros((len(frames), len(COLUMNS)))
    for row, frame in zip(table, frames, strict=True):
        write_row(row, field.match(frame, reference), field)
    return _placed(frames, table, field)


def refine_frames(state: Running, planes: Array, places: Array, field: Field) -> Placed:
    """Return frames put onto the mean of all the others.

    Parameters
    ----------
    state
        State after the last group of the stack.
    planes
        Counts, shape (frame, y, x).
    places
        Table of these frames, see `COLUMNS`.
    field
        Where to look.
    """
    if state.n_frames < 2:
        return Placed(np.zeros_like(state.total), np.zeros_like(state.cover), places)
    frames = field.frames(planes)
    table = np.empty((len(frames), len(COLUMNS)))
    for row, frame, place in zip(table, frames, places[:, :4].astype(np.int64), strict=True):
        image, seen = others(state.total, state.cover, frame.image, field.mask, tuple(place))
        found = field.match(frame, field.reference(image, seen))
        # a frame that was not confident may be no part of the mean
        own = place[:2] + place[2:4] if (place[:2] < field.search.shape).all() else None
        write_row(row, found, field, own, state.n_frames)
    return _placed(frames, table, field)


def register_neighbours(planes: Array, first: bool, field: Field) -> Group:
    """Return frames each put onto the one before, all on the field of the first.

    Parameters
    ----------
    planes
        Counts, shape (frame, y, x), with the last frame of the group before in front.
    first
        Whether this is the first group, which has nothing in front.
    field
        Where to look. A step that is not confident counts as none.
    """
    frames = field.frames(planes)
    steps = np.zeros((len(frames), len(COLUMNS)))
    steps[0, 6:] = np.inf, 1
    for row, before, frame in zip(steps[1:], frames, frames[1:], strict=False):
        reference = field.reference(before.image, field.mask > 0)
        write_row(row, field.match(frame, reference), field)
        row[4:6] *= row[7]
    own, table = (frames, steps) if first else (frames[1:], steps[1:])
    step = (float(table[0, 4]), float(table[0, 5]))
    table[0, 4:6] = 0
    table[:, 4:6] = np.cumsum(table[:, 4:6], axis=0)
    table[:, :2] = np.rint(table[:, 4:6])
    total, cover = sum_frames(own, table[:, :2], field)
    mean = (total / np.maximum(cover, 1)).astype(np.float32)
    return Group(mean, cover.astype(np.uint16), table, step)


def add_neighbours(state: Running, group: Group) -> tuple[Running, Array]:
    """Return the state with one group more, put where its step says, and the table of frames."""
    place = np.add(state.shift, group.step)
    whole = np.rint(place)
    table = group.table.copy()
    table[:, 2:4] = whole
    table[:, 4:6] += place
    last = (float(table[-1, 4]), float(table[-1, 5]))
    added = state.plus(group, (int(whole[0]), int(whole[1])))
    return Running(*added, last, (0.0, 0.0), state.n_frames + len(table)), table


def add_placed(state: Running, placed: Placed) -> tuple[Running, Array]:
    """Return the state with some frames more, and their table."""
    frames = state.n_frames + int(placed.table[:, 7].sum())
    total, cover = state.total + placed.total, state.cover + placed.cover
    return Running(total, cover, (0.0, 0.0), (0.0, 0.0), frames), placed.table


def between_bins(table: Array, bin_frames: int, n_frames: int) -> Array:
    """Return the rows of frames from those of bins of frames, shape (frame, 4) as by `settle`.

    Translations are interpolated between the middles of the bins and held before the first and
    after the last; score and confidence are those of the bin.
    """
    if bin_frames == 1:
        return table
    edges = np.minimum(np.arange(len(table) + 1) * bin_frames, n_frames)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    numbers = np.arange(n_frames)
    rows = table[numbers // bin_frames].copy()
    for axis in (0, 1):
        rows[:, axis] = np.interp(numbers, middles, table[:, axis])
    return rows


def _placed(frames: list[Frame], table: Array, field: Field) -> Placed:
    """Return frames at their places; those that are not confident are no part of the sum."""
    table[table[:, 7] == 0, :2] = field.search.shape
    total, cover = sum_frames(frames, table[:, :2], field)
    return Placed(total, cover, table)
