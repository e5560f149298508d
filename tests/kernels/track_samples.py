"""Tracks that the tests of their kernels share, and sums made by plain double loops."""

from __future__ import annotations

import numpy as np

from mfxarray.kernels.tracking.track_points import TrackRules, Tracks, tracks_of

NEVER = TrackRules(gap=np.inf)


def random_tracks(lengths, seed=0, rules=NEVER, jitter=0.0, sigma=0.5, diffusion=0.5, blur=0.0):
    """Return tracks of unit frames with Gaussian steps that have just the wanted covariance."""
    rng = np.random.default_rng(seed)
    tim, xyz = [], []
    for n in lengths:
        dt = 1.0 + jitter * rng.uniform(-1, 1, n)
        time = np.cumsum(dt)
        walk = np.cumsum(rng.normal(size=(n, 3)) * np.sqrt(2 * diffusion * dt)[:, None], axis=0)
        tim.append(time)
        # blur takes as much from the error as it takes from the motion
        noise = np.sqrt(sigma**2 - 2 * diffusion * blur)
        xyz.append(walk + noise * rng.normal(size=(n, 3)))
    starts = np.cumsum([0, *lengths])[:-1]
    return tracks_of(np.concatenate(tim), np.concatenate(xyz), starts, rules)


def pieces(tracks: Tracks, track: int):
    """Yield times and places of each segment, only axes that count."""
    rows = np.arange(tracks.bounds[track], tracks.bounds[track + 1])
    for part in np.split(rows, np.flatnonzero(tracks.cut[rows])[1:]):
        if len(part):
            yield tracks.tim[part], tracks.xyz[part][:, tracks.axes[track]]


def covariance_of(time, diffusion, error, blur=0.0):
    """Return the covariance of steps, from that of the places of a free particle."""
    places = 2 * diffusion * np.minimum.outer(time - time[0], time - time[0])
    places = places + (error - 2 * diffusion * blur) * np.eye(len(time))
    to_steps = np.diff(np.eye(len(time)), axis=0)
    return to_steps @ places @ to_steps.T
