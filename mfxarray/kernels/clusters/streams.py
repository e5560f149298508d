"""Random numbers of which each trace has a stream of its own, named by seed, wash and trace.

References
----------
Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators. OOPSLA, 453.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["begin_stream", "next_uniform", "stream_names"]

Array = np.ndarray[Any, Any]

# of the generator SplitMix64: an odd number near 2**64 over the golden ratio, and two multipliers
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53


def stream_names(seed: int, *keys: Array) -> Array:
    """Return what names the streams of traces, shape (trace, 1 + key), uint64.

    Parameters
    ----------
    seed
        Any integer from 0.
    keys
        Integers of each trace, shape (trace,) each; they may be negative.
    """
    out = np.empty((len(keys[0]), 1 + len(keys)), np.uint64)
    out[:, 0] = seed
    for column, key in enumerate(keys, 1):
        out[:, column] = np.asarray(key, np.int64).view(np.uint64)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def begin_stream(name, state):  # type: ignore[no-untyped-def]
    """Set the state, shape (1,), to the start of the stream of that name."""
    state[0] = _STEP
    for part in name:
        state[0] = _mixed(state[0] ^ part) + _STEP


@njit(nogil=True, cache=True, error_model="numpy")
def next_uniform(state):  # type: ignore[no-untyped-def]
    """Return the next number of a stream, at least 0 and below 1."""
    state[0] += _STEP
    return np.float64(_mixed(state[0]) >> _S11) * _UNIT


@njit(nogil=True, cache=True, error_model="numpy")
def _mixed(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> _S30)) * _FIRST
    value = (value ^ (value >> _S27)) * _SECOND
    return value ^ (value >> _S31)
