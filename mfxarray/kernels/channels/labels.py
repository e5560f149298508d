"""Channels of single values: the likeliest component, or the window that holds them; votes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["label_by_mixture", "label_by_windows", "run_means", "vote_runs"]

Array = np.ndarray[Any, Any]

NONE = -1


def label_by_mixture(
    values: Array, means: Array, widths: Array, fractions: Array, least: float
) -> Array:
    """Return channel and probability of each value, shape (value, 2).

    Parameters
    ----------
    values
        Shape (value,); NaN has no channel.
    means, widths, fractions
        Of the components, shape (component,); those that are NaN do not count.
    least
        Probability that a channel needs.

    Returns
    -------
    numpy.ndarray
        The channel is -1 where no probability reaches ``least``; the probability is that of the
        likeliest component all the same, NaN where there is no value.
    """
    out = np.empty((len(values), 2))
    windows = np.empty((0, 2))
    parts = (_floats(means), _floats(widths), _floats(fractions))
    _label(_floats(values), parts[0], parts[1], parts[2], windows, True, float(least), out)
    return out


def label_by_windows(
    values: Array,
    windows: Array,
    *,
    closed: bool,
    mixture: tuple[Array, Array, Array] | None = None,
    least: float = 0.0,
) -> Array:
    """Return channel and probability of each value, shape (value, 2).

    Parameters
    ----------
    values
        As for `label_by_mixture`.
    windows
        Lowest and highest value of each channel, shape (channel, 2); the first that holds a value
        wins.
    closed
        Whether the highest value is included.
    mixture
        Means, widths and fractions of one component a channel, which give the probability. Without
        them it is 1 in a window and 0 outside all.
    least
        Probability that a channel needs.
    """
    out = np.empty((len(values), 2))
    means, widths, fractions = map(_floats, mixture or (np.empty(0),) * 3)
    _label(_floats(values), means, widths, fractions, _floats(windows), closed, float(least), out)
    return out


def _floats(values: Array) -> Array:
    return np.ascontiguousarray(values, np.float64)


def vote_runs(labels: Array, starts: Array, channels: int, agreement: float) -> Array:
    """Return the channel that most rows of each run have and their share, shape (run, 2).

    Parameters
    ----------
    labels
        Channel and probability of each row, shape (row, 2).
    starts
        First row of each run, shape (run,).
    channels
        Number of channels.
    agreement
        Share of the rows with a value, those without a channel among them, that must agree.

    Returns
    -------
    numpy.ndarray
        The channel is -1 where two have equally many rows, or too few agree; the share is NaN where
        no row has a value.
    """
    out = np.empty((len(starts), 2))
    bounds = np.append(starts, len(labels)).astype(np.int64)
    _vote(_floats(labels), bounds, max(channels, 1), float(agreement), out)
    return out


def run_means(values: Array, starts: Array) -> Array:
    """Return the mean of each run without its NaN, NaN where nothing is left, shape (run,)."""
    out = np.empty(len(starts))
    _means(_floats(values), np.append(starts, len(values)).astype(np.int64), out)
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _label(values, means, widths, fractions, windows, closed, least, out):  # type: ignore[no-untyped-def]
    constants, logs = np.log(fractions) - np.log(widths), np.empty(len(means))
    for place in range(len(values)):
        value = values[place]
        out[place, 0] = NONE
        out[place, 1] = np.nan
        if value != value:
            continue
        likeliest = _posteriors(value, means, widths, constants, logs)
        label = likeliest if len(windows) == 0 else _window(value, windows, closed)
        chance = 1.0 if label >= 0 else 0.0
        if len(means):
            chance = logs[label] if label >= 0 else logs[likeliest] if likeliest >= 0 else np.nan
        out[place, 1] = chance
        if chance >= least:
            out[place, 0] = label


@njit(nogil=True, cache=True, error_model="numpy")
def _posteriors(value, means, widths, constants, logs):  # type: ignore[no-untyped-def]
    """Fill the probabilities; return the likeliest component, the lowest of equal ones."""
    likeliest, highest = NONE, -np.inf
    for part in range(len(means)):
        step = (value - means[part]) / widths[part]
        logs[part] = constants[part] - 0.5 * step * step
        if logs[part] > highest:
            likeliest, highest = part, logs[part]
    total = 0.0
    for part in range(len(means)):
        logs[part] = np.exp(logs[part] - highest) if logs[part] == logs[part] else 0.0
        total += logs[part]
    for part in range(len(means)):
        logs[part] /= total
    return likeliest


@njit(nogil=True, cache=True, error_model="numpy")
def _window(value, windows, closed):  # type: ignore[no-untyped-def]
    for number in range(len(windows)):
        low, high = windows[number, 0], windows[number, 1]
        if value >= low and (value < high or (closed and value == high)):
            return number
    return NONE


@njit(nogil=True, cache=True, error_model="numpy")
def _vote(labels, bounds, channels, agreement, out):  # type: ignore[no-untyped-def]
    counts = np.empty(channels, np.int64)
    for run in range(len(out)):
        counts[:] = 0
        known = 0
        for row in range(bounds[run], bounds[run + 1]):
            known += labels[row, 1] == labels[row, 1]
            if labels[row, 0] >= 0:
                counts[int(labels[row, 0])] += 1
        winner = np.argmax(counts)
        out[run, 0] = NONE
        out[run, 1] = np.nan
        if known == 0:
            continue
        out[run, 1] = counts[winner] / known
        tied = np.sum(counts == counts[winner]) > 1
        if not tied and out[run, 1] >= agreement:
            out[run, 0] = winner


@njit(nogil=True, cache=True, error_model="numpy")
def _means(values, bounds, out):  # type: ignore[no-untyped-def]
    for run in range(len(out)):
        # the first known value is subtracted: sums of small differences round less
        first, total, count = 0.0, 0.0, 0
        for row in range(bounds[run], bounds[run + 1]):
            value = values[row]
            if value == value:
                first = value if count == 0 else first
                total += value - first
                count += 1
        out[run] = first + total / count if count else np.nan
