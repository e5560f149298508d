"""Localizations of a ring structure under a known drift, in memory."""

from __future__ import annotations

import numpy as np

from tests.samples import localizations_of

NM = 1e-9


def drifting(
    amplitude_nm=50.0,
    dimensions=2,
    traces=5000,
    per_trace=10,
    field_um=5.0,
    span=10_000.0,
    seed=0,
    shape="wave",
    chunks=None,
    precision_nm=2.5,
):
    """Return localizations and the function that gives their true drift, metres, (time, axis)."""
    rng = np.random.default_rng((seed, 77))
    rings = int(4 * field_um**2)
    angles = rng.uniform(0, 2 * np.pi, rings)[:, None] + np.arange(8) * np.pi / 4
    centres = rng.uniform(0, field_um * 1000, (rings, 2))
    sites = np.stack(
        [
            centres[:, [0]] + 55 * np.cos(angles),
            centres[:, [1]] + 55 * np.sin(angles),
            rng.uniform(-100, 100, rings)[:, None] + np.zeros(8),
        ],
        axis=-1,
    ).reshape(-1, 3)
    own = sites[rng.integers(0, len(sites), traces)] + rng.normal(0, 2, (traces, 3))
    starts = np.sort(rng.uniform(0, span * 0.999, traces))
    counts = rng.geometric(1 / per_trace, traces)
    trace = np.repeat(np.arange(traces), counts)
    first = np.cumsum(counts) - counts
    tim = starts[trace] + (np.arange(len(trace)) - first[trace]) * 1e-3
    drift = wave(amplitude_nm, span, dimensions, shape)
    position = own[trace] * NM + rng.normal(0, precision_nm * NM, (len(trace), 3)) + drift(tim)
    if dimensions == 2:
        position[:, 2] = 0.0
    order = np.argsort(tim, kind="stable")
    return dataset(position[order], tim[order], trace[order], chunks), drift


def wave(amplitude_nm, span, dimensions, shape):
    """Return a smooth drift whose largest distance along an axis is the amplitude."""
    sizes = np.array([1.0, -0.7, 0.8 if dimensions == 3 else 0.0]) * amplitude_nm * NM

    def drift(tim):
        u = np.asarray(tim)[:, None] / span
        if shape == "wave":
            path = np.sin(2 * np.pi * (u * 0.9 + np.array([0.0, 0.15, 0.3]))) / 2
        else:
            path = u + np.zeros(3)
        return sizes * path

    return drift


def dataset(position, tim, tid, chunks=None):
    """Return localizations with one iteration."""
    ds = localizations_of(position, tid=tid.astype(np.int32), tim=tim)
    return ds if chunks is None else ds.chunk(localization=chunks)


def rms_error(found, drift, dimensions):
    """Return the rms error of the curve along each axis, nm, the mean of both taken away."""
    error = found["drift"].values - drift(found["time"].values)
    error -= error.mean(axis=0)
    return np.sqrt((error**2).mean(axis=0))[:dimensions] / NM
