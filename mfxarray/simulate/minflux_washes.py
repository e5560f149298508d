"""Washes with stage jumps, drift and beads that get lost, renamed or moved; all of it known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import record_dtype
from mfxarray.formats.tables import BeadTrack
from mfxarray.simulate.minflux_scene import generator
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.zarr_v2 import write_zarr_v2

__all__ = ["SimulatedWash", "WashSettings", "simulate_bead_washes", "write_bead_washes"]

Array = np.ndarray[Any, Any]

_LAYOUT_KEY, _MOTION_KEY, _BEAD_KEY, _TRACE_KEY = range(1000, 1004)
_TRACE_STEP_S = 0.01
_FIRST_GRI = 61


@dataclass(frozen=True)
class WashSettings:
    """What is simulated; lengths in metres, times in seconds.

    Attributes
    ----------
    washes, traces, localizations, beads
        How many: traces in a wash, localizations in a trace (mean), beads.
    seed
        The same seed and settings give the same numbers.
    duration_s, interval_s
        Length of a wash, and time between two samples of a bead.
    field_m, depth_m
        Size of the field, and depth over which beads and emitters lie; 0 for 2D.
    jump_m
        Size of the jump of the stage between two washes, in a random direction.
    drift_m
        Size of the drift within a wash.
    bead_noise_m
        Standard deviation of a bead sample.
    bead_shift_m
        Standard deviation of how far a bead moves on its own between washes.
    precision_m
        Standard deviation of a localization.
    failed
        Share of bead samples that fail.
    rotation_rad
        Angle about z by which a wash is turned against the one before.
    line
        Put all beads on a line.
    renamed
        Give the beads other names in every wash.
    lost
        Bead numbers that are missing in a wash, by wash.
    ends
        Share of the wash after which a bead is gone, by (wash, bead).
    moved
        Displacement of a bead in a wash and from then on, by (wash, bead).
    """

    washes: int = 3
    traces: int = 200
    localizations: int = 10
    beads: int = 4
    seed: int = 0
    duration_s: float = 2000.0
    interval_s: float = 4.0
    field_m: float = 20e-6
    depth_m: float = 1e-6
    jump_m: float = 400e-9
    drift_m: float = 60e-9
    bead_noise_m: float = 1e-9
    bead_shift_m: float = 0.0
    precision_m: float = 2e-9
    failed: float = 0.02
    rotation_rad: float = 0.0
    line: bool = False
    renamed: bool = False
    lost: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    ends: Mapping[tuple[int, int], float] = field(default_factory=dict)
    moved: Mapping[tuple[int, int], tuple[float, float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class SimulatedWash:
    """One wash and what is true about it.

    Attributes
    ----------
    tim, tid
        Of every localization, shape (localization,).
    position
        As measured, metres, shape (localization, 3).
    truth
        Where the emitter is without any motion, metres, shape (localization, 3).
    emitter
        Number of the emitter, the same in every wash, shape (localization,).
    displacement
        True motion d(t) of a point at the centre of the field, metres, shape (localization, 3).
    beads
        The tracks of the beads.
    bead_numbers
        True number of every track.
    """

    tim: Array = field(repr=False)
    tid: Array = field(repr=False)
    position: Array = field(repr=False)
    truth: Array = field(repr=False)
    emitter: Array = field(repr=False)
    displacement: Array = field(repr=False)
    beads: tuple[BeadTrack, ...] = field(repr=False)
    bead_numbers: tuple[int, ...] = ()


def simulate_bead_washes(**settings: Any) -> tuple[SimulatedWash, ...]:
    """Return washes of the same emitters and beads; see `WashSettings` for the parameters."""
    told = WashSettings(**settings)
    if told.washes < 1 or told.beads < 1 or told.traces < 1 or told.interval_s <= 0:
        raise ValueError("washes, beads, traces and interval_s must be above 0")
    return tuple(_wash(told, number) for number in range(told.washes))


def write_bead_washes(folder: str | os.PathLike[str], **settings: Any) -> tuple[SimulatedWash, ...]:
    """Write wash0.zarr, wash1.zarr, ... as Imspector unpacks them, and return the truth.

    Parameters
    ----------
    folder
        A folder that exists.
    **settings
        Of `WashSettings`.
    """
    found = simulate_bead_washes(**settings)
    for number, wash in enumerate(found):
        rows = _records(wash)
        outgoing = Outgoing(
            rows.dtype, len(rows), partial(_once, rows), f"P{number + 1}", beads=wash.beads
        )
        write_zarr_v2(Path(folder, f"wash{number}.zarr"), outgoing, bead_layout="m2205")
    return found


def _once(rows: Array) -> Iterator[Array]:
    yield rows


def _wash(told: WashSettings, wash: int) -> SimulatedWash:
    rng = generator(told.seed, wash, _TRACE_KEY)
    layout = generator(told.seed, 0, _LAYOUT_KEY)
    homes, emitters = _bead_homes(told, layout), _places(told, layout, told.traces)
    length = rng.geometric(1 / told.localizations, told.traces)
    trace = np.repeat(np.arange(told.traces), length)
    start = np.sort(rng.uniform(0.01, 0.98, told.traces)) * told.duration_s
    inner = np.arange(len(trace)) - np.repeat(np.cumsum(length) - length, length)
    tim = start[trace] + _TRACE_STEP_S * (inner + 1)
    emitter = rng.permutation(told.traces)[trace]
    truth = emitters[emitter]
    noise = rng.normal(0.0, told.precision_m, truth.shape) * _flat(told)
    moved = _displacement(told, wash, tim)
    position = _turned(told, wash, truth) + moved + noise
    tracks, numbers = _beads(told, wash, homes)
    tid = (50 + 3 * trace).astype(np.int32)
    return SimulatedWash(tim, tid, position, truth, emitter, moved, tracks, numbers)


def _flat(told: WashSettings) -> Array:
    return np.array([1.0, 1.0, float(told.depth_m > 0)])


def _places(told: WashSettings, rng: np.random.Generator, count: int) -> Array:
    size = np.array([told.field_m, told.field_m, told.depth_m])
    return rng.uniform(0.05, 0.95, (count, 3)) * size


def _bead_homes(told: WashSettings, rng: np.random.Generator) -> Array:
    homes = _places(told, rng, told.beads)
    if told.line:
        along = np.linspace(0.1, 0.9, told.beads)[:, np.newaxis]
        homes = along * np.array([told.field_m, 0.6 * told.field_m, 0.3 * told.depth_m])
    return homes


def _turned(told: WashSettings, wash: int, places: Array) -> Array:
    """Return places of the first wash, turned about the centre of the field."""
    angle = wash * told.rotation_rad
    centre = 0.5 * np.array([told.field_m, told.field_m, told.depth_m])
    c, s = np.cos(angle), np.sin(angle)
    return (places - centre) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + centre


def _displacement(told: WashSettings, wash: int, tim: Array) -> Array:
    """Return the motion of the stage: jumps between washes, a smooth drift within each."""
    jump = np.zeros(3)
    for number in range(1, wash + 1):
        step = generator(told.seed, number, _MOTION_KEY).normal(size=3) * _flat(told)
        jump += told.jump_m * step / np.linalg.norm(step)
    rng = generator(told.seed, wash, _MOTION_KEY + 10_000)
    slope, wave = rng.normal(size=(2, 3)) * _flat(told) / np.sqrt(3)
    part = (tim / told.duration_s)[:, np.newaxis]
    return np.asarray(jump + told.drift_m * (slope * part + 0.5 * wave * np.sin(2 * np.pi * part)))


def _beads(
    told: WashSettings, wash: int, homes: Array
) -> tuple[tuple[BeadTrack, ...], tuple[int, ...]]:
    homes = homes.copy()
    for (since, bead), step in told.moved.items():
        if wash >= since:
            homes[bead] += step
    rng = generator(told.seed, wash, _BEAD_KEY)
    homes += rng.normal(0.0, 1.0, homes.shape) * told.bead_shift_m * _flat(told)
    places = _turned(told, wash, homes)
    names = rng.permutation(told.beads) if told.renamed else np.arange(told.beads)
    tracks, numbers = [], []
    for bead in range(told.beads):
        track = _track(told, wash, places[bead], bead, rng)
        if bead not in told.lost.get(wash, ()):
            name = int(names[bead]) + 1 + (100 * wash if told.renamed else 0)
            tracks.append(BeadTrack(f"R{name}", _FIRST_GRI + name, True, *track))
            numbers.append(bead)
    order = np.argsort([track.gri for track in tracks], kind="stable")
    return tuple(tracks[i] for i in order), tuple(numbers[i] for i in order)


def _track(
    told: WashSettings, wash: int, place: Array, bead: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    tim = np.arange(bead / told.beads, told.duration_s / told.interval_s + 1) * told.interval_s
    tim = tim[tim <= told.ends.get((wash, bead), 2.0) * told.duration_s]
    noise = rng.normal(0.0, told.bead_noise_m, (len(tim), 3)) * _flat(told)
    xyz = place + _displacement(told, wash, tim) + noise
    strength = np.where(rng.random(len(tim)) < told.failed, 0.0, 1.0)
    xyz[strength == 0] = np.nan
    return tim, xyz, strength


def _records(wash: SimulatedWash) -> Array:
    """Return nested records of one iteration; ``loc`` is not corrected by the beads."""
    rows = np.zeros(len(wash.tim), record_dtype(1))
    for name in ("loc", "lnc"):
        rows["itr"][name][:, 0] = wash.position
    rows["itr"]["eco"], rows["itr"]["efo"] = 100, 30e3
    rows["itr"]["tic"] = np.rint(wash.tim / 25e-9).astype(np.uint64)[:, np.newaxis]
    rows["tim"], rows["tid"], rows["gri"], rows["vld"] = wash.tim, wash.tid, wash.tid, True
    return rows
