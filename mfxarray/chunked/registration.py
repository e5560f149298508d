"""Registration of chunked stacks: groups of frames, and a short chain that joins them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, graph_array, reread, whole
from mfxarray.kernels import references
from mfxarray.kernels.beads import registration, seed_registration
from mfxarray.kernels.correlation import Search
from mfxarray.kernels.matching import Field

__all__ = ["How", "find_shifts", "find_shifts_seed"]

Array = np.ndarray[Any, Any]
Tasks = dict[Any, Any]

# blocks that may be prepared ahead of the chain; more would only fill memory
_AHEAD = 4


@dataclass(frozen=True, eq=False)
class How:
    """How to find translations.

    Attributes
    ----------
    reference
        "running": mean of the frames before, then of the others; "neighbours": the frame before;
        a number: that frame; an array (y, x): those counts.
    iterations
        Further passes, each against the mean of all other frames.
    region
        Pixels that are compared, shape (y, x), bool; all if None.
    bin_frames
        Frames that are summed before they are compared.
    """

    reference: str | int | da.Array = "running"
    iterations: int = 0
    region: Array | None = None
    bin_frames: int = 1


def find_shifts(planes: da.Array, max_shift: int, how: How | None = None) -> da.Array:
    """Return the translations that bring every frame onto the reference.

    Parameters
    ----------
    planes
        Counts, shape (frame, y, x).
    max_shift
        Largest translation looked for, pixels.
    how
        As said there; translations are counted from frame 0, from the frame that is the reference,
        or from the image that is.

    Returns
    -------
    dask array
        Shape (frame, 4): dy, dx, score in standard deviations of noise, 1 where confident.

    Notes
    -----
    One pass over ``planes``, and one more for every iteration. Blocks are groups of 16 frames
    counted from frame 0, whatever the chunks.
    """
    planes = whole(planes, (1, 2))
    n_frames = planes.shape[0]
    how = how or How()
    field = Field(Search((planes.shape[1], planes.shape[2]), max_shift), how.region)
    parts = (max_shift, how.reference, how.iterations, how.region, how.bin_frames)
    token = tokenize(planes, *parts)
    binned = _binned(planes, how.bin_frames)
    grouped = binned.rechunk({0: registration.group_sizes(binned.shape[0])})
    inputs = [grouped]
    state, tables, tasks = _first_pass(planes, grouped, how, field, token, inputs)
    for number in range(how.iterations):
        again = reread(grouped, f"refine-{number}")
        inputs.append(again)
        name = f"refine-{number}-{token}"
        prepare = partial(references.refine_frames, field=field)
        ready = [
            (_refine, prepare, state, (again.name, block, 0, 0), table)
            for block, table in enumerate(tables)
        ]
        start = partial(registration.start, field.search.shape)
        more, state, tables = _chain(ready, name, references.add_placed, start)
        tasks.update(more)
    zero = how.reference if isinstance(how.reference, int) else 0
    last = None if isinstance(how.reference, da.Array) else zero
    finish = partial(_finish, bin_frames=how.bin_frames, n_frames=n_frames, zero=last)
    name = f"{KEPT}shifts-{token}"
    tasks[(name, 0, 0)] = (finish, tables)
    return graph_array(name, tasks, inputs, ((n_frames,), (4,)), float)


def find_shifts_seed(planes: da.Array, padding: int) -> da.Array:
    """Return the translations as the seed finds them, shape (frame, 2); one pass."""
    planes = whole(planes, (1, 2))
    name = f"{KEPT}seed-shifts-{tokenize(planes, padding)}"
    start = partial(seed_registration.seed_start, (planes.shape[1], planes.shape[2]), padding)
    prepare = partial(seed_registration.seed_spectra, padding=padding)
    ready = [(prepare, (planes.name, block, 0, 0)) for block in range(planes.numblocks[0])]
    tasks, _, pieces = _chain(ready, f"link-{name}", _seed_link, start)
    tasks[(name, 0, 0)] = (_seed_settle, pieces)
    return graph_array(name, tasks, (planes,), ((planes.shape[0],), (2,)), np.int64)


def _first_pass(
    planes: da.Array,
    grouped: da.Array,
    how: How,
    field: Field,
    token: str,
    inputs: list[da.Array],
) -> tuple[Any, list[Any], Tasks]:
    """Return the key of the last state, the keys of the tables, and the tasks."""
    start = partial(registration.start, field.search.shape)
    blocks = [(grouped.name, block, 0, 0) for block in range(grouped.numblocks[0])]
    name, tasks = f"register-{token}", {}
    link: Callable[..., Any]
    ready: list[tuple[Any, ...]]
    kind = how.reference if isinstance(how.reference, str) else "given"
    if kind == "running":
        ready = [(partial(registration.register_group, field=field), block) for block in blocks]
        link = partial(registration.add_group, field=field)
    elif kind == "neighbours":
        join = partial(_with_last, field=field)
        ready = [(join, None, blocks[0])]
        ready += [(join, before, block) for before, block in pairwise(blocks)]
        link = references.add_neighbours
    else:
        image = whole(_image(planes, how), (0, 1))
        inputs.append(image)
        onto = f"onto-{token}"
        fixed = partial(references.fixed_reference, field=field)
        tasks[onto] = (fixed, (image.name, 0, 0))
        put = partial(references.onto_reference, field=field)
        ready = [(put, block, onto) for block in blocks]
        link = references.add_placed
    more, state, tables = _chain(ready, name, link, start)
    return state, tables, {**tasks, **more}


def _image(planes: da.Array, how: How) -> da.Array:
    """Return the counts of the reference, shape (y, x)."""
    if isinstance(how.reference, da.Array):
        return how.reference
    first = int(how.reference) // how.bin_frames * how.bin_frames
    chosen = planes[first : first + how.bin_frames]
    return chosen[0] if how.bin_frames == 1 else chosen.sum(axis=0, dtype=_wide(planes))


def _binned(planes: da.Array, bin_frames: int) -> da.Array:
    """Return sums of consecutive frames, counted from frame 0; the last may be of fewer."""
    if bin_frames == 1:
        return planes
    each = max(max(planes.chunks[0], default=1) // bin_frames, 1) * bin_frames
    cut = planes.rechunk({0: each})
    sizes = tuple(-(-size // bin_frames) for size in cut.chunks[0])
    add = partial(_add_bins, bin_frames=bin_frames, dtype=_wide(planes))
    return da.map_blocks(add, cut, chunks=(sizes, *cut.chunks[1:]), dtype=_wide(planes))


def _wide(planes: da.Array) -> Any:
    return np.float64 if planes.dtype.kind == "f" else np.uint64


def _add_bins(planes: Array, bin_frames: int, dtype: Any) -> Array:
    return np.add.reduceat(planes, np.arange(0, len(planes), bin_frames), axis=0, dtype=dtype)


def _chain(
    ready: list[tuple[Any, ...]],
    name: str,
    link: Callable[..., Any],
    start: Callable[[], Any],
) -> tuple[Tasks, Any, list[Any]]:
    """Return tasks that hand a state on, the key of the last state, the keys of the tables.

    ``ready`` are tasks that need nothing from each other; no more than a few of them run ahead of
    the chain.
    """
    made, state, table = f"{name}-ready", f"{name}-state", f"{name}-table"
    tasks: Tasks = {(state, -1): (start,)}
    for block, task in enumerate(ready):
        ahead = (table, block - _AHEAD) if block >= _AHEAD else None
        tasks[(made, block)] = (_later, ahead, *task)
        tasks[(name, block)] = (link, (state, block - 1), (made, block))
        tasks[(state, block)] = (itemgetter(0), (name, block))
        tasks[(table, block)] = (itemgetter(1), (name, block))
    pieces = [(table, block) for block in range(len(ready))]
    return tasks, (state, len(ready) - 1), pieces


def _later(_: object, work: Callable[..., Any], *inputs: Any) -> Any:
    return work(*inputs)


def _with_last(before: Array | None, planes: Array, *, field: Field) -> registration.Group:
    joined = planes if before is None else np.concatenate([before[-1:], planes])
    return references.register_neighbours(joined, before is None, field)


def _refine(
    prepare: Callable[..., Any], state: registration.Running, planes: Array, places: Array
) -> references.Placed:
    return prepare(state, planes, places)  # type: ignore[no-any-return]


def _finish(tables: list[Array], *, bin_frames: int, n_frames: int, zero: int | None) -> Array:
    settled = registration.settle(np.concatenate(tables))
    rows = references.between_bins(settled, bin_frames, n_frames)
    if zero is not None:
        rows[:, :2] -= rows[zero, :2].copy()
    return rows


def _seed_link(state: seed_registration.SeedRunning, ready: tuple[Array, Array, Array]) -> Any:
    return seed_registration.seed_register(state, *ready)


def _seed_settle(shifts: list[Array]) -> Array:
    return seed_registration.seed_settle(np.concatenate(shifts))
