"""Registration of chunked stacks: groups of frames, a short chain, a parallel refinement."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, graph_array, reread, whole
from mfxarray.kernels import registration, seed_registration
from mfxarray.kernels.correlation import Search
from mfxarray.kernels.shifts import cover_count, shift_frames

__all__ = ["exposure", "find_shifts", "find_shifts_seed", "shift_stack", "shift_stack_seed"]

Array = np.ndarray[Any, Any]

# blocks that may be prepared ahead of the chain; more would only fill memory
_AHEAD = 4


def find_shifts(planes: da.Array, max_shift: int) -> da.Array:
    """Return the translations that bring every frame onto frame 0.

    Parameters
    ----------
    planes
        Counts, shape (frame, y, x).
    max_shift
        Largest translation looked for, pixels.

    Returns
    -------
    dask array
        Shape (frame, 4): dy, dx, score in standard deviations of noise, 1 where confident.

    Notes
    -----
    Two passes over ``planes``: in groups of 16 frames, whose means are then put onto each other one
    by one, and again frame by frame against the mean of all other frames.
    """
    planes = whole(planes, (1, 2))
    search = Search((planes.shape[1], planes.shape[2]), max_shift)
    token = tokenize(planes, max_shift)
    # groups of frames are counted from frame 0, whatever the chunks
    grouped, again = planes.rechunk({0: registration.GROUP}), reread(planes, "refine")
    tasks, state, tables = _chain(
        grouped,
        f"register-{token}",
        partial(registration.register_group, search=search),
        partial(registration.add_group, search=search),
        partial(registration.start, search),
    )
    places, refined, name = f"places-{token}", f"refined-{token}", f"{KEPT}shifts-{token}"
    tasks[(places,)] = (np.concatenate, tables)
    stops = np.cumsum(planes.chunks[0]).tolist()
    for block, (size, stop) in enumerate(zip(planes.chunks[0], stops, strict=True)):
        refine = partial(_refine, rows=(stop - size, stop), search=search)
        tasks[(refined, block)] = (refine, state, (again.name, block, 0, 0), (places,))
    everything = [(refined, block) for block in range(planes.numblocks[0])]
    tasks[(name, 0, 0)] = (_settle, everything)
    return graph_array(name, tasks, (grouped, again), ((planes.shape[0],), (4,)), float)


def find_shifts_seed(planes: da.Array, padding: int) -> da.Array:
    """Return the translations as the seed finds them, shape (frame, 2); one pass."""
    planes = whole(planes, (1, 2))
    name = f"{KEPT}seed-shifts-{tokenize(planes, padding)}"
    start = partial(seed_registration.seed_start, (planes.shape[1], planes.shape[2]), padding)
    prepare = partial(seed_registration.seed_spectra, padding=padding)
    tasks, _, pieces = _chain(planes, f"link-{name}", prepare, _seed_link, start)
    tasks[(name, 0, 0)] = (_seed_settle, pieces)
    return graph_array(name, tasks, (planes,), ((planes.shape[0],), (2,)), np.int64)


def shift_stack(counts: da.Array, shifts: da.Array, padding: int) -> da.Array:
    """Return the stack with every frame moved by its translation, zeros where there is no data.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    shifts
        Shape (frame, 2), integers.
    padding
        Pixels added on every side.
    """
    return _shifted(partial(shift_frames, padding=padding), counts, shifts, padding)


def shift_stack_seed(counts: da.Array, shifts: da.Array, padding: int) -> da.Array:
    """Return the stack padded and rolled as the seed does, with wrap-around."""
    move = partial(seed_registration.seed_shift, padding=padding)
    return _shifted(move, counts, shifts, padding)


def exposure(shifts: da.Array, shape: tuple[int, int], padding: int) -> da.Array:
    """Return how many frames cover each pixel after `shift_stack`, shape (y, x)."""
    sizes = tuple((size + 2 * padding,) for size in shape)
    count = partial(cover_count, shape=shape, padding=padding)
    name = f"{KEPT}exposure-{tokenize(shifts, shape, padding)}"
    single = whole(shifts, (0, 1))
    tasks = {(name, 0, 0): (count, (single.name, 0, 0))}
    return graph_array(name, tasks, (single,), sizes, np.int64)


def _shifted(
    move: Callable[..., Array], counts: da.Array, shifts: da.Array, padding: int
) -> da.Array:
    counts = whole(counts, (2, 3))
    sizes = [size + 2 * padding for size in counts.shape[2:]]
    return da.blockwise(
        move,
        "fdyx",
        reread(counts, "shift"),
        "fdyx",
        whole(shifts, (1,)).rechunk({0: counts.chunks[0]}),
        "fs",
        concatenate=True,
        adjust_chunks={"y": (sizes[0],), "x": (sizes[1],)},
        dtype=counts.dtype,
        meta=counts._meta,
    )


def _chain(
    planes: da.Array,
    name: str,
    prepare: Callable[[Array], Any],
    link: Callable[..., Any],
    start: Callable[[], Any],
) -> tuple[dict[Any, Any], Any, list[Any]]:
    """Return tasks that hand a state on, the key of the last state, the keys of the tables."""
    ready, state, table = f"{name}-ready", f"{name}-state", f"{name}-table"
    tasks: dict[Any, Any] = {(state, -1): (start,)}
    for block in range(planes.numblocks[0]):
        ahead = (table, block - _AHEAD) if block >= _AHEAD else None
        tasks[(ready, block)] = (_ready, prepare, (planes.name, block, 0, 0), ahead)
        tasks[(name, block)] = (link, (state, block - 1), (ready, block))
        tasks[(state, block)] = (itemgetter(0), (name, block))
        tasks[(table, block)] = (itemgetter(1), (name, block))
    pieces = [(table, block) for block in range(planes.numblocks[0])]
    return tasks, (state, planes.numblocks[0] - 1), pieces


def _ready(prepare: Callable[[Array], Any], planes: Array, _: object) -> Any:
    return prepare(planes)


def _settle(tables: list[Array]) -> Array:
    return registration.settle(np.concatenate(tables))


def _refine(
    state: registration.Running,
    planes: Array,
    places: Array,
    *,
    rows: tuple[int, int],
    search: Search,
) -> Array:
    return registration.refine_frames(state, planes, places[slice(*rows)], search)


def _seed_link(state: seed_registration.SeedRunning, ready: tuple[Array, Array, Array]) -> Any:
    return seed_registration.seed_register(state, *ready)


def _seed_settle(shifts: list[Array]) -> Array:
    return seed_registration.seed_settle(np.concatenate(shifts))
