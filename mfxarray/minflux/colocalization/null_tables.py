"""Counts of repeats judged: probabilities by chance, and envelopes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfxarray.minflux.colocalization.channel_points import about

__all__ = ["envelope", "judged"]

Array = np.ndarray[Any, Any]


def judged(counts: Array, null: str, alternative: str) -> dict[str, Any]:
    """Return the variables that `mfxarray.minflux.colocalization.nulls.coloc_null` describes.

    Parameters
    ----------
    counts
        True numbers and those of the repeats, shape (1 + repeat, channel, channel).
    null, alternative
        As there.
    """
    dims = ("channel", "other")
    observed, simulated = counts[0], counts[1:]
    mean = simulated.mean(axis=0)
    deviation = simulated.std(axis=0, ddof=1) if len(simulated) > 1 else np.full(mean.shape, np.nan)
    known = _known(counts, null)
    z = np.full(mean.shape, np.nan)
    np.divide(observed - mean, deviation, out=z, where=known & (deviation > 0))
    ratio = np.full(mean.shape, np.nan)
    np.divide(observed, mean, out=ratio, where=mean > 0)
    p = np.where(known, _p_values(counts, alternative), np.nan)
    return {
        "observed": (dims, observed, about("1", "number found")),
        "expected": (dims, mean, about("1", "mean of the repeats")),
        "deviation": (dims, deviation, about("1", "standard deviation of the repeats")),
        "ratio": (dims, ratio, about("1", "found over expected")),
        "z_score": (dims, z, about("1", "deviations away from the mean of the repeats")),
        "p_value": (dims, p, about("1", f"probability by chance, {alternative}")),
    }


def _known(counts: Array, null: str) -> Array:
    """Return for which pairs of channels the null tells something; a shift changes nothing within.

    Shape (channel, channel).
    """
    channels = counts.shape[1]
    return ~np.eye(channels, dtype=bool) if null == "shift" else np.ones((channels, channels), bool)


def _p_values(counts: Array, alternative: str) -> Array:
    observed, simulated = counts[0], counts[1:]
    above = (1 + (simulated >= observed).sum(axis=0)) / (1 + len(simulated))
    below = (1 + (simulated <= observed).sum(axis=0)) / (1 + len(simulated))
    if alternative == "two-sided":
        return np.asarray(np.minimum(2 * np.minimum(above, below), 1.0))
    return np.asarray(above if alternative == "greater" else below)


def envelope(counts: Array, means: Array, null: str, level: float) -> dict[str, Any]:
    """Return the variables that `mfxarray.minflux.colocalization.nulls.correlation_null` describes.

    Parameters
    ----------
    counts
        True pairs and those of the repeats, shape (1 + repeat, channel, channel, bin).
    means
        Pairs that are expected at random, shape (channel, channel, bin).
    null, level
        As there.
    """
    known = _known(counts, null)[:, :, None]
    ends = np.quantile(counts[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    values = {
        "g": (counts[0] / means, "pair correlation, 1 at random"),
        "g_low": (ends[0] / means, f"lower end of {level:.0%} of the repeats"),
        "g_high": (ends[1] / means, f"upper end of {level:.0%} of the repeats"),
        "g_expected": (counts[1:].mean(axis=0) / means, "mean of the repeats"),
        "p_value": (_p_values(counts, "two-sided"), "at this distance alone, two-sided"),
    }
    dims = ("channel", "other", "r")
    fields: dict[str, Any] = {
        name: (dims, one if name == "g" else np.where(known, one, np.nan), about("1", text))
        for name, (one, text) in values.items()
    }
    text = "probability by chance of the largest deviation at any distance"
    p = np.where(known[:, :, 0], _global_p(counts), np.nan)
    fields["p_global"] = (dims[:2], p, about("1", text))
    return fields


def _global_p(counts: Array) -> Array:
    """Return the rank of the true curve by its largest deviation among all curves."""
    # mean and deviation of all curves, so that the true one is one of them
    mean, deviation = counts.mean(axis=0), counts.std(axis=0)
    off = np.zeros(counts.shape)
    np.divide(np.abs(counts - mean), deviation, out=off, where=deviation > 0)
    largest = off.max(axis=-1)
    return np.asarray((largest >= largest[0]).mean(axis=0))
