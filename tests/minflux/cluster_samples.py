"""Traces of several emitters, and clusters of tracks in washes, with a known truth."""

from __future__ import annotations

import numpy as np

from tests.samples import localizations_of

__all__ = ["emitter_traces", "washes_of_clusters"]


def emitter_traces(traces=60, emitters=2, apart=40e-9, spread=3e-9, rows=30, seed=0, flat=False):
    """Traces in which emitters at equal steps take turns; the truth is (trace, row) and centres."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1e-5, (traces, 1, 3)) + np.zeros((1, emitters, 1))
    directions = rng.normal(size=(traces, 3)) * (1, 1, 0 if flat else 1)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    centres = centres + np.arange(emitters)[None, :, None] * apart * directions[:, None]
    noise = rng.normal(0, spread, (traces, rows, 3))
    if flat:
        centres[..., 2], noise[..., 2] = 0, 0
    true = rng.integers(0, emitters, (traces, rows))
    place = np.take_along_axis(centres, true[..., None], axis=1) + noise
    tid = np.repeat(np.arange(traces), rows)
    return localizations_of(place.reshape(-1, 3), tid=tid), true, centres


def washes_of_clusters(washes=2, clusters=12, rows=8, seed=0):
    """Localizations of several washes whose traces gather around the same few places."""
    rng = np.random.default_rng(seed)
    homes = rng.uniform(0, 1e-6, (clusters, 3))
    places, tids, numbers = [], [], []
    for wash in range(washes):
        n = 40 + 5 * wash
        centres = homes[rng.integers(0, clusters, n)] + rng.normal(0, 12e-9, (n, 3))
        places.append(np.repeat(centres, rows, axis=0))
        # ids begin at 0 in each wash
        tids.append(np.repeat(np.arange(n), rows))
        numbers.append(np.full(n * rows, wash))
    place, tid, wash = (np.concatenate(part) for part in (places, tids, numbers))
    place = place + rng.normal(0, 3e-9, place.shape)
    efo = rng.gamma(50, 1e3, len(place))
    ds = localizations_of(place, tid=tid, wash=wash, efo=efo, eco=rng.integers(50, 90, len(place)))
    return ds.set_coords("wash")
