"""Hot pixels of chunked stacks: local votes, one global count, replacement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import KEPT, reread, whole
from mfxarray.chunked.shortcuts import remember_selection, select_detectors
from mfxarray.kernels.medians import replace_masked
from mfxarray.kernels.replacements import draw_masked, miss_masked

__all__ = ["Replacement", "hot_mask", "replace_hot"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Replacement:
    """What takes the place of hot pixels.

    Attributes
    ----------
    kind
        "median" of the window, "draw" from the Poisson distribution of its mean, or "missing".
    kernel_size
        Odd size of the window, pixels.
    seed
        Of the draws.
    streams
        For "draw": a number for every detector of the stack, that its draws depend on.
    frame_numbers
        For "draw": the same for every frame, one chunk of them for each chunk of the stack.
    """

    kind: str = "median"
    kernel_size: int = 3
    seed: int = 0
    streams: tuple[int, ...] = ()
    frame_numbers: da.Array | None = None


def hot_mask(
    counts: da.Array, candidates: Callable[[Array], Array], *, most_repeats: float
) -> da.Array:
    """Return the mask of hot pixels, shape (frame, y, x), bool.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    candidates
        Takes frames to their candidates, shape (frame, y, x), bool: a partial of
        `mfxarray.kernels.medians.hot_candidates` or
        `mfxarray.kernels.hot_poisson.poisson_candidates`.
    most_repeats
        A pixel that is a candidate in more frames than this is structure, not a hot pixel.

    Notes
    -----
    Reads the stack once. Between the votes and the global count the votes wait as one bit a pixel.
    """
    counts = whole(counts, (1, 2, 3))
    height, width = counts.shape[2:]
    vote = partial(_vote, candidates=candidates)
    token = tokenize(counts, vote, most_repeats)
    packed = da.blockwise(
        vote,
        "fyx",
        counts,
        "fdyx",
        name=f"{KEPT}votes-{token}",
        adjust_chunks={"x": (-(-width // 8),)},
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    repeats = da.map_blocks(
        partial(_count, width=width),
        packed,
        chunks=((1,) * packed.numblocks[0], (height,), (width,)),
        dtype=np.int64,
        meta=np.empty((0, 0, 0), np.int64),
    ).sum(axis=0)
    rare = da.map_blocks(
        partial(_at_most, most=most_repeats),
        repeats,
        name=f"{KEPT}rare-{token}",
        dtype=bool,
        meta=np.empty((0, 0), bool),
    )
    return da.blockwise(
        partial(_unpack, width=width),
        "fyx",
        packed,
        "fyx",
        rare,
        "yx",
        align_arrays=False,
        adjust_chunks={"x": (width,)},
        dtype=bool,
        meta=np.empty((0, 0, 0), bool),
    )


def replace_hot(
    counts: da.Array,
    mask: da.Array,
    detectors: Sequence[int],
    how: Replacement = Replacement(),
) -> da.Array:
    """Return counts with masked pixels replaced.

    Parameters
    ----------
    counts
        Shape (frame, detector, y, x).
    mask
        Shape (frame, y, x), bool.
    detectors
        Numbers of the detectors to clean.
    how
        What to put in. The result has the dtype of the counts, for "missing" float64.

    Notes
    -----
    Reads the stack again, because the mask needs all frames first.
    """
    counts = whole(counts, (1, 2, 3))
    mask = mask.rechunk((counts.chunks[0], -1, -1))

    def select(numbers: tuple[int, ...]) -> da.Array:
        cleaned = [place for place, number in enumerate(numbers) if number in detectors]
        streams = tuple(how.streams[number] for number in numbers) if how.streams else ()
        part = replace(how, streams=streams)
        return replace_hot(select_detectors(counts, numbers), mask, cleaned, part)

    dtype = np.dtype(np.float64) if how.kind == "missing" else counts.dtype
    inputs: list[Any] = [reread(counts, "replace"), "fdyx", mask, "fyx"]
    if how.kind == "draw" and how.frame_numbers is not None:
        inputs += [how.frame_numbers.rechunk((counts.chunks[0],)), "f"]
    cleaned = da.blockwise(
        _filler(how, tuple(detectors)),
        "fdyx",
        *inputs,
        dtype=dtype,
        meta=np.empty((0, 0, 0, 0), dtype),
    )
    return remember_selection(cleaned, select)


def _filler(how: Replacement, detectors: tuple[int, ...]) -> Callable[..., Array]:
    if how.kind == "missing":
        return partial(_miss, detectors=detectors)
    if how.kind == "median":
        return partial(_replace, detectors=detectors, kernel_size=how.kernel_size)
    streams = tuple(how.streams[number] for number in detectors)
    return partial(
        _draw,
        detectors=detectors,
        radius=how.kernel_size // 2,
        seed=how.seed,
        streams=streams,
    )


def _vote(blocks: list[Array], *, candidates: Callable[[Array], Array]) -> Array:
    # dask hands over the blocks along the lost axis as a list, here one; joining would copy it
    (frames,) = blocks
    return np.packbits(candidates(frames), axis=-1)


def _count(packed: Array, *, width: int) -> Array:
    votes = np.unpackbits(packed, axis=-1, count=width)
    return votes.sum(axis=0, keepdims=True, dtype=np.int64)


def _at_most(repeats: Array, *, most: float) -> Array:
    return repeats <= most


def _unpack(packed: Array, rare: Array, *, width: int) -> Array:
    return np.unpackbits(packed, axis=-1, count=width).astype(bool) & rare


def _replace(frames: Array, mask: Array, *, detectors: tuple[int, ...], kernel_size: int) -> Array:
    return replace_masked(frames, mask, np.array(detectors, np.int64), kernel_size)


def _miss(frames: Array, mask: Array, *, detectors: tuple[int, ...]) -> Array:
    return miss_masked(frames, mask, np.array(detectors, np.int64))


def _draw(
    frames: Array, mask: Array, numbers: Array, *, detectors: tuple[int, ...], **options: Any
) -> Array:
    places = np.array(detectors, np.int64)
    return draw_masked(frames, mask, places, frame_numbers=numbers, **options)
