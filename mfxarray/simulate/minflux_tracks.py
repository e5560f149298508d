"""Tracks of particles that rest, diffuse, are confined or driven; all of it known."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import record_dtype
from mfxarray.simulate.minflux_scene import generator
from mfxarray.writers.npy import NpyWriter

__all__ = ["KINDS", "SimulatedTracks", "TrackSettings", "simulate_tracks", "write_tracks"]

Array = np.ndarray[Any, Any]

# numbered as `mfxarray.minflux.tracking.motion_classes.MOTIONS`
KINDS = ("immobile", "free", "confined", "directed")

_TRACK_KEY = 2000


@dataclass(frozen=True)
class TrackSettings:
    """What is simulated; lengths in metres, times in seconds.

    Attributes
    ----------
    tracks, points
        How many tracks, and localizations of each; their mean number if ``same_length`` is False.
    same_length
        Else lengths are 2 and more, geometrically distributed.
    kind
        One of `KINDS`, or several that tracks take turns in.
    diffusion
        m^2/s; several values that tracks take turns in.
    error
        Standard deviation of the localization error along x, y, z, or one for all.
    dimensions
        2 or 3; in 2D all z are 0.
    frame
        Mean time from one localization to the next.
    jitter
        Standard deviation of this time as a share of it; 0 for regular times.
    exposure
        Share of each frame, at its end, over which light is gathered; 0 for a flash at its end,
        1 for all of it. The blur R of regular times is a sixth of it.
    missed
        Share of the localizations that are missing.
    radius
        Of the disc or ball with a hard wall that confines.
    speed
        Of directed motion, the direction of each track random.
    field
        Side of the square in which tracks begin.
    substeps
        Steps of the path within a frame, of confined motion.
    seed
        The same seed and settings give the same numbers.
    """

    tracks: int = 100
    points: int = 50
    same_length: bool = True
    kind: str | tuple[str, ...] = "free"
    diffusion: float | tuple[float, ...] = 5e-13
    error: float | tuple[float, float, float] = 10e-9
    dimensions: int = 2
    frame: float = 1e-3
    jitter: float = 0.0
    exposure: float = 0.0
    missed: float = 0.0
    radius: float = 100e-9
    speed: float = 2e-5
    field: float = 5e-6
    substeps: int = 16
    seed: int = 0


@dataclass(frozen=True)
class SimulatedTracks:
    """Localizations of tracks, track by track, and what is true about them.

    Attributes
    ----------
    tim, tid, position
        Of each localization, shapes (row,), (row,) and (row, 3).
    kind, diffusion
        Of each track: number in `KINDS`, m^2/s; shape (track,).
    blur
        R of the regular times.
    """

    tim: Array = field(repr=False)
    tid: Array = field(repr=False)
    position: Array = field(repr=False)
    kind: Array = field(repr=False)
    diffusion: Array = field(repr=False)
    blur: float = 0.0


def simulate_tracks(**settings: Any) -> SimulatedTracks:
    """Return tracks; see `TrackSettings` for the parameters.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Means over an exposure are exact of free motion: the mean of a Brownian path between two places
    is drawn from its own distribution. Of confined motion they are, but near the wall.
    """
    told = TrackSettings(**settings)
    kinds = (told.kind,) if isinstance(told.kind, str) else tuple(told.kind)
    _check(told, kinds)
    rng = generator(told.seed, 0, _TRACK_KEY)
    length = np.full(told.tracks, told.points)
    if not told.same_length:
        length = 1 + rng.geometric(1 / (told.points - 1), told.tracks)
    kind = np.resize([KINDS.index(name) for name in kinds], told.tracks)
    diffusion = np.where(kind == 0, 0.0, np.resize(told.diffusion, told.tracks))
    tim, position = _paths(rng, told, length, kind, diffusion)
    position += rng.normal(size=position.shape) * np.broadcast_to(told.error, 3)
    position[:, told.dimensions :] = 0.0
    tid = np.repeat(np.arange(told.tracks, dtype=np.int32), length)
    keep = rng.random(len(tid)) >= told.missed
    return SimulatedTracks(
        tim[keep], tid[keep], position[keep], kind, diffusion, told.exposure / 6.0
    )


def write_tracks(path: str | os.PathLike[str], **settings: Any) -> SimulatedTracks:
    """Write tracks to an ``.npy`` file with one iteration a localization, and return the truth.

    Parameters
    ----------
    path
        Target; appears when it is complete.
    **settings
        Of `TrackSettings`.
    """
    found = simulate_tracks(**settings)
    rows = np.zeros(len(found.tim), record_dtype(1))
    for name in ("loc", "lnc"):
        rows["itr"][name][:, 0] = found.position
    rows["itr"]["eco"], rows["itr"]["efo"] = 100, 100e3
    rows["itr"]["tic"] = np.rint(found.tim / 25e-9).astype(np.uint64)[:, np.newaxis]
    rows["tim"], rows["tid"], rows["gri"], rows["vld"] = found.tim, found.tid, found.tid, True
    with NpyWriter(path, rows.dtype, len(rows)) as writer:
        writer.write(rows)
    return found


def _check(told: TrackSettings, kinds: tuple[str, ...]) -> None:
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"kind must be some of {KINDS}, not {told.kind!r}")
    if told.dimensions not in (2, 3) or told.tracks < 1 or told.points < 2 or told.frame <= 0:
        raise ValueError("tracks and frame must be above 0, points 2 or more, dimensions 2 or 3")
    if not (0 <= told.missed < 1 and 0 <= told.exposure <= 1 and told.jitter >= 0):
        raise ValueError("missed and exposure are shares from 0 to 1, jitter is not below 0")
    if min(np.min(told.diffusion), np.min(told.error)) < 0 or told.radius <= 0:
        raise ValueError("diffusion and error must not be below 0, radius above 0")


def _paths(
    rng: np.random.Generator, told: TrackSettings, length: Array, kind: Array, diffusion: Array
) -> tuple[Array, Array]:
    """Return times and places without error, track by track."""
    count, longest = len(length), int(length.max())
    frames = np.full((count, longest), told.frame)
    if told.jitter:
        shape = 1.0 / told.jitter**2
        frames = rng.gamma(shape, told.frame / shape, frames.shape)
    velocity = _directions(rng, count, told.dimensions) * told.speed
    velocity[kind != KINDS.index("directed")] = 0.0
    walled = kind == KINDS.index("confined")
    offset = _starts(rng, told, walled)
    places = np.zeros((count, longest, 3))
    for frame in range(longest):
        going = length > frame
        seen, offset[going] = _exposed(
            rng, told, offset[going], frames[going, frame], diffusion[going], walled[going]
        )
        places[going, frame] = seen
    times = np.cumsum(frames, axis=1)
    # tracks follow each other, with a frame of nothing between
    ends = times[np.arange(count), length - 1]
    begin = np.cumsum(ends + 5 * told.frame) - ends
    home = rng.uniform(0.0, told.field, (count, 3))
    there = np.arange(longest) < length[:, None]
    # the light of an exposure comes from its middle
    middle = times - 0.5 * told.exposure * frames
    moved = places + home[:, None] + velocity[:, None] * middle[..., None]
    return (times + begin[:, None])[there], moved[there]


def _directions(rng: np.random.Generator, count: int, dimensions: int) -> Array:
    found = rng.normal(size=(count, 3))
    found[:, dimensions:] = 0.0
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def _starts(rng: np.random.Generator, told: TrackSettings, walled: Array) -> Array:
    """Return a random place within the wall, and 0 without."""
    d = told.dimensions
    far = told.radius * rng.random(len(walled)) ** (1.0 / d)
    return np.where(walled[:, None], _directions(rng, len(walled), d) * far[:, None], 0.0)


def _exposed(
    rng: np.random.Generator,
    told: TrackSettings,
    place: Array,
    frame: Array,
    diffusion: Array,
    walled: Array,
) -> tuple[Array, Array]:
    """Return the mean places during the exposures of a frame, and the places at its end."""
    steps = told.substeps if walled.any() else 1
    dark = (1.0 - told.exposure) * frame
    for _ in range(steps if told.exposure < 1 else 0):
        place, _ = _moved(rng, told, place, dark / steps, diffusion, walled)
    if told.exposure == 0:
        return place, place
    total = np.zeros_like(place)
    for _ in range(steps):
        place, mean = _moved(rng, told, place, told.exposure * frame / steps, diffusion, walled)
        total += mean
    return total / steps, place


def _moved(
    rng: np.random.Generator,
    told: TrackSettings,
    place: Array,
    time: Array,
    diffusion: Array,
    walled: Array,
) -> tuple[Array, Array]:
    """Return the places after some time, and the mean of the path to there."""
    width = np.sqrt(2.0 * diffusion * time)[:, None]
    step = rng.normal(size=place.shape) * width
    bridge = rng.normal(size=place.shape) * width / np.sqrt(12.0)
    step[:, told.dimensions :] = bridge[:, told.dimensions :] = 0.0
    after = place + step
    if walled.any():
        far = np.linalg.norm(after, axis=1)
        outside = walled & (far > told.radius)
        back = np.maximum(2.0 * told.radius - far[outside], 0.0) / far[outside]
        after[outside] *= back[:, None]
    return after, 0.5 * (place + after) + bridge
