"""Channels dealt out anew to the same points, by hashes that no chunk changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.delayed import delayed

from mfxarray.kernels.clusters.pair_counts import hashed_labels, hashed_words

__all__ = ["Dealing", "deal"]

Array = np.ndarray[Any, Any]

# words are told apart by so many first bits before some are looked at whole
_BITS = 12


@dataclass(frozen=True)
class Dealing:
    """Channels dealt out anew to the same points, as many of each as there were.

    Attributes
    ----------
    seed
        Of the hash.
    limits
        See `mfxarray.kernels.clusters.pair_counts.hashed_labels`.
    """

    seed: int
    limits: Array

    def labels(self, channel: Array, rows: Array) -> Array:
        """Return true and dealt channels, shape (point, 1 + repeat), uint8."""
        return np.column_stack([channel, hashed_labels(self.seed, rows, self.limits)])


def deal(used: da.Array, counts: Array, seed: int, repeats: int) -> Dealing:
    """Return random dealings of channels, each with exactly ``counts`` points a channel.

    Parameters
    ----------
    used
        Shape (point,), bool.
    counts
        Used points of each channel, shape (channel,).
    seed, repeats
        Of the hash of (seed, repeat, row), and how many dealings.

    Notes
    -----
    A point gets the channel in whose range the rank of its hash falls. Two passes over ``used``
    find the limits; in memory is one hash in 4096 of each repeat.
    """
    ranks = np.cumsum(counts)[:-1]
    firsts = np.cumsum((0, *used.chunks[0]))[:-1].tolist()
    blocks = list(zip(used.to_delayed().ravel(), firsts, strict=True))
    count, pick = delayed(_counts_of_words), delayed(_words_of_bins)
    # added one after the other, so that few of them are in memory
    total = reduce(delayed(np.add), [count(*block, seed, repeats) for block in blocks])
    below = np.cumsum(total.compute(), axis=1)
    bins = np.array([np.searchsorted(row, ranks, side="right") for row in below])
    bins = np.minimum(bins, 2**_BITS - 1)
    picked = compute(*(pick(*block, seed, bins) for block in blocks))
    limits = np.full(bins.shape, np.uint64(2**64 - 1))
    for repeat, place in np.ndindex(*bins.shape):
        words = np.sort(np.concatenate([part[repeat][place] for part in picked]))
        first = bins[repeat, place]
        rank = int(ranks[place] - (below[repeat, first - 1] if first else 0))
        if rank < len(words):
            limits[repeat, place] = words[rank]
    return Dealing(seed, limits)


def _rows_of(used: Array, first: int) -> Array:
    return np.flatnonzero(used) + first


def _counts_of_words(used: Array, first: int, seed: int, repeats: int) -> Array:
    rows = _rows_of(used, first)
    out = np.empty((repeats, 2**_BITS), np.int64)
    for repeat in range(repeats):
        words = hashed_words(seed, repeat + 1, rows) >> np.uint64(64 - _BITS)
        out[repeat] = np.bincount(words.astype(np.int64), minlength=2**_BITS)
    return out


def _words_of_bins(used: Array, first: int, seed: int, bins: Array) -> list[list[Array]]:
    rows = _rows_of(used, first)
    found = []
    for repeat, wanted in enumerate(bins):
        words = hashed_words(seed, repeat + 1, rows)
        top = (words >> np.uint64(64 - _BITS)).astype(np.int64)
        found.append([words[top == one] for one in wanted])
    return found
