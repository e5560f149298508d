"""Translations of the frames of a stack: groups of frames, and what joins and refines them.

Groups are counted from frame 0, so chunks do not change the answer. Frames of a group are
registered among themselves, each in the end against the mean of the others, while they are in
memory: one pass over the data does, and only the means of the groups wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from mfxarray.kernels.matching import Field, Frame, Rough
from mfxarray.kernels.polish import Match, others, scene

__all__ = [
    "COLUMNS",
    "GROUP",
    "Group",
    "Running",
    "add_group",
    "group_sizes",
    "register_group",
    "settle",
    "start",
    "sum_frames",
    "write_row",
]

Array = np.ndarray[Any, Any]

GROUP = 16
# within a group the first reference is renewed at every power of two and every so many frames
_RENEW = 8
# times that each frame of a group is put onto the mean of the others, in blocks of pixels
_ROUNDS = 2
# that many times the score of noise cannot be a wrong place; such frames are not looked up again
_BEYOND_DOUBT = 2.0
# times that each frame is put onto the mean of the others in pixels, until nothing moves
_SWEEPS = 2
_ADD = np.float32(1)
_UNMOVED = Rough((0, 0), (0.0, 0.0), 0.0, False)
# of a table of frames: where a frame was put (whole pixels, on the field of its group), where its
# group was put on the field of frame 0, its translation, its score, 1 where confident
COLUMNS = ("dy", "dx", "group_dy", "group_dx", "y", "x", "score", "confident")


@dataclass(frozen=True)
class Group:
    """Frames registered among themselves, on the field of the first one.

    Attributes
    ----------
    mean
        Mean of the frames, shape (y, x), float32.
    cover
        Frames that cover each pixel, shape (y, x), uint16.
    table
        Shape (frame, 8), see `COLUMNS`; group columns 0.
    step
        Of the first frame onto the last one of the group before, where it is known.
    """

    mean: Array
    cover: Array
    table: Array
    step: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Running:
    """The state of a registration of groups.

    Attributes
    ----------
    total
        Sum of the registered frames on the field of frame 0, shape (y, x), float64.
    cover
        Frames that cover each pixel, shape (y, x), float32.
    shift
        Where the last group, or the last frame of it, was put; what comes next starts from there.
    mean_rest
        Mean way of the frames in ``total`` from the whole pixels to their true places.
    n_frames
        Frames so far.
    """

    total: Array
    cover: Array
    shift: tuple[float, float]
    mean_rest: tuple[float, float]
    n_frames: int

    def plus(self, group: Group, shift: tuple[int, int]) -> tuple[Array, Array]:
        """Return sum and cover with a group more, put there."""
        total, cover = self.total.copy(), self.cover.copy()
        _add_weighted(total, cover, group.mean, group.cover, *shift)
        return total, cover


def group_sizes(frames: int) -> tuple[int, ...]:
    """Return the sizes of groups; what is left over, if little, joins the last one."""
    full, rest = divmod(frames, GROUP)
    if full and rest < GROUP // 2:
        return (*(GROUP,) * (full - 1), GROUP + rest)
    return (*(GROUP,) * full, rest) if rest or not full else (GROUP,) * full


def start(shape: tuple[int, int]) -> Running:
    """Return the state before the first group."""
    return Running(np.zeros(shape), np.zeros(shape, np.float32), (0.0, 0.0), (0.0, 0.0), 0)


def register_group(planes: Array, field: Field) -> Group:
    """Return frames registered among themselves.

    Parameters
    ----------
    planes
        Counts, shape (frame, y, x).
    field
        Where to look. A frame without a confident translation is put where the last one was.
    """
    frames = field.frames(planes)
    places = _rough_places(frames, field)
    for _ in range(_SWEEPS):
        total, cover = sum_frames(frames, places, field)
        table = _sweep(frames, places, total, cover, field)
        moved = (table[:, :2] != places).any()
        # the first frame marks the field, so that every pixel of the field is seen
        table[:, 4:6] -= table[0, :2]
        table[:, :2] -= table[0, :2]
        places = table[:, :2].astype(np.int64)
        if not moved:
            break
    if moved or places[0].any():
        total, cover = sum_frames(frames, places, field)
    # counted from the mean of the frames as they are put now
    table[:, 4:6] -= (table[:, 4:6] - table[:, :2]).mean(axis=0)
    mean = (total / np.maximum(cover, 1)).astype(np.float32)
    return Group(mean, cover.astype(np.uint16), table)


def _sweep(frames: list[Frame], places: Array, total: Array, cover: Array, field: Field) -> Array:
    """Return the table of frames, each put onto the mean of the others."""
    table = np.zeros((len(frames), len(COLUMNS)))
    for row, frame, place in zip(table, frames, places, strict=True):
        found = Match(0, 0, (0.0, 0.0), np.inf)
        if len(frames) > 1:
            onto = scene(*others(total, cover, frame.image, field.mask, (*place, 0, 0)))
            found = field.climb(frame, onto, (int(place[0]), int(place[1])))
        write_row(row, found, field, place, len(frames))
        if not row[7]:
            row[:2] = row[4:6] = place
    return table


def add_group(state: Running, group: Group, field: Field) -> tuple[Running, Array]:
    """Return the state with one group more, and the table of its frames.

    The mean of the group is put onto the mean of all groups before; without a confident translation
    it takes that of the last group.
    """
    found, sure = Match(0, 0, (0.0, 0.0), np.inf), True
    if state.n_frames:
        before = (state.total / np.maximum(state.cover, 1)).astype(np.float32)
        reference = field.reference(before, state.cover > 0)
        found = field.match(field.frame(group.mean), reference)
        sure = field.confident(found)
    shift = (float(found.dy), float(found.dx)) if sure else state.shift
    # the reference itself lies a little beside the whole pixels
    rest = np.add(found.offset, state.mean_rest) if sure else np.zeros(2)
    table = group.table.copy()
    table[:, 2:4] = shift
    table[:, 4:6] += shift + rest
    table[:, 6] = np.minimum(table[:, 6], found.score)
    table[:, 7] *= sure
    frames = state.n_frames + len(table)
    mean = (np.multiply(state.mean_rest, state.n_frames) + rest * len(table)) / frames
    added = state.plus(group, (int(shift[0]), int(shift[1])))
    return Running(*added, shift, (float(mean[0]), float(mean[1])), frames), table


def settle(table: Array) -> Array:
    """Return y, x, score, confident of every frame, shape (frame, 4).

    Frames without a confident translation inherit the last one.
    """
    settled = table[:, 4:].copy()
    shift = np.zeros(2)
    for row in settled:
        if row[3]:
            shift = row[:2].copy()
        else:
            row[:2] = shift
    return settled


def write_row(
    row: Array, found: Match, field: Field, place: Array | None = None, n_frames: float = 1
) -> None:
    """Write what was found for a frame into its row of a table.

    Parameters
    ----------
    row
        Of the table, see `COLUMNS`.
    found
        Its translation.
    field
        Where was looked.
    place, n_frames
        For a frame that is one of ``n_frames`` and was put onto the mean of the others: where it
        is in the mean of all. The translation written is that onto the mean of all.
    """
    row[:2] = found.dy, found.dx
    row[2:4] = 0
    row[4:6] = row[:2] + found.offset
    if place is not None:
        # without the frame, the mean lies a little further off to the opposite side
        row[4:6] -= (row[4:6] - place) / n_frames
    row[6:] = found.score, field.confident(found)


def sum_frames(frames: list[Frame], places: Array, field: Field) -> tuple[Array, Array]:
    """Return the sum of prepared frames put to their places, and how many cover each pixel."""
    total, cover = np.zeros(field.search.shape), np.zeros(field.search.shape, np.float32)
    for frame, (dy, dx) in zip(frames, places, strict=True):
        _add_shifted(total, cover, frame.image, field.mask, _ADD, int(dy), int(dx))
    return total, cover


def _rough_places(frames: list[Frame], field: Field) -> Array:
    """Return whole pixels (frame, 2): each frame against those before, then against all others."""
    shape, mask = field.coarse.shape, field.small_mask
    total, cover = np.zeros(shape), np.zeros(shape, np.float32)
    found = [_UNMOVED] * len(frames)
    rough = None
    for index, frame in enumerate(frames):
        if index:
            if rough is None or _renews(index):
                rough = field.rough_target(total / np.maximum(cover, 1), cover > 0)
            seen = field.look(frame, rough)
            found[index] = seen if seen.confident else found[index - 1]
        _add_shifted(total, cover, frame.small, mask, _ADD, *found[index].place)
    for _ in range(_ROUNDS if len(frames) > 2 else 0):
        for index, frame in enumerate(frames):
            if found[index].score >= _BEYOND_DOUBT * field.coarse.threshold:
                continue
            _add_shifted(total, cover, frame.small, mask, -_ADD, *found[index].place)
            rough = field.rough_target(total / np.maximum(cover, 1), cover > 0)
            seen = field.look(frame, rough)
            found[index] = seen if seen.confident else found[index]
            _add_shifted(total, cover, frame.small, mask, _ADD, *found[index].place)
    near = np.array([rough.near for rough in found])
    return np.rint(near - near[0]).astype(np.int64)


def _renews(index: int) -> bool:
    return index & (index - 1) == 0 or index % _RENEW == 0


@njit(nogil=True, cache=True, error_model="numpy")
def _add_shifted(total, cover, frame, mask, sign, dy, dx):  # type: ignore[no-untyped-def]
    height, width = frame.shape
    left, right = max(0, -dx), min(width, width - dx)
    for y in range(max(0, -dy), min(height, height - dy)):
        # rows without bounds to check, which the compiler turns into vector instructions
        added, weight = frame[y, left:right], mask[y, left:right]
        row, count = total[y + dy, left + dx :], cover[y + dy, left + dx :]
        for x in range(right - left):
            row[x] += sign * weight[x] * added[x]
            count[x] += sign * weight[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _add_weighted(total, cover, mean, weight, dy, dx):  # type: ignore[no-untyped-def]
    height, width = mean.shape
    for y in range(max(0, -dy), min(height, height - dy)):
        for x in range(max(0, -dx), min(width, width - dx)):
            total[y + dy, x + dx] += np.float64(mean[y, x]) * weight[y, x]
            cover[y + dy, x + dx] += weight[y, x]
