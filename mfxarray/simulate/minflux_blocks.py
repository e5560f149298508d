"""Records of a fixed block of traces: everything random in them comes from one generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import record_dtype
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.simulate.minflux_scene import Scene, Sequence, generator

__all__ = ["TRACES_PER_BLOCK", "Block", "Clock", "Motion", "Settings", "make_block"]

TRACES_PER_BLOCK = 1024
MEAN_TRACE_LENGTH = 10
_TICK_S = 25e-9
_TICKS_PER_S = 40_000_000
_SKIPPED_TICKS = 134  # what Imspector books for an iteration that is not executed
_OVERHEAD_S = 1.5e-3
_MEAN_GAP_S = 6.0
_MEAN_EFO_HZ = 32e3
_DOUBLE_FRACTION = 0.06  # traces from two emitters at once, twice as bright
_MEAN_DCR = np.array([0.38, 0.62])
_NO_SIGNAL = 8

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Motion:
    """Where everything is at a time, relative to time 0 of the first wash.

    Attributes
    ----------
    offset_m
        Constant displacement (the stage jump of a later wash), metres, x, y, z.
    drift_m_per_s
        Constant velocity, metres per second, x, y, z.
    """

    offset_m: tuple[float, float, float]
    drift_m_per_s: tuple[float, float, float]

    def at(self, time_s: Array) -> Array:
        """Return the displacement in metres, shape (..., 3), at times in seconds."""
        moved = np.asarray(time_s)[..., np.newaxis] * np.array(self.drift_m_per_s)
        return np.asarray(moved + np.array(self.offset_m))


@dataclass(frozen=True)
class Settings:
    """Everything that a block depends on besides its number and its start."""

    sequence: Sequence
    scene: Scene
    motion: Motion
    precision_m: tuple[float, float, float]
    invalid_fraction: float
    seed: int
    wash: int


@dataclass(frozen=True)
class Clock:
    """Time and trace id at which a block starts: where the one before ended."""

    ticks: int = 0
    tid: int = 50


@dataclass(frozen=True)
class Block:
    """Records of 1024 traces and the truth about them, one entry a trace."""

    rows: Array
    tid: Array
    emitter: Array
    double: Array
    length: Array
    aborted: Array
    end: Clock


def make_block(settings: Settings, number: int, start: Clock) -> Block:
    """Return the records of block ``number``.

    Parameters
    ----------
    settings
        What is simulated.
    number
        Block, from 0.
    start
        End of the block before.

    Notes
    -----
    About 10 MB of records in 2D and 20 MB in 3D, whatever the size of the file.
    """
    rng = generator(settings.seed, settings.wash, number)
    count = TRACES_PER_BLOCK
    aborted = rng.random(count) < _abort_probability(settings.invalid_fraction)
    length = rng.geometric(1 / MEAN_TRACE_LENGTH, count) + aborted
    tid = start.tid + np.cumsum(rng.integers(1, 6, count))
    emitter = rng.integers(0, len(settings.scene.emitters), count)
    double = rng.random(count) < _DOUBLE_FRACTION
    gaps = rng.exponential(_MEAN_GAP_S, count)
    trace = np.repeat(np.arange(count), length)
    first = np.diff(trace, prepend=-1) > 0
    last = np.diff(trace, append=count) > 0

    rows = np.zeros(trace.size, record_dtype(settings.sequence.n_iterations))
    executed, stop = _executed(rng, settings.sequence, first, last & aborted[trace])
    _fill_photons(rng, rows["itr"], settings, trace, executed, emitter, double)
    wait = np.where(first, gaps[trace], 0.0)
    end = _fill_times(rows, executed, wait, start.ticks)
    _fill_positions(rng, rows, settings, settings.scene.emitters[emitter][trace], executed)
    _fill_rest(rows, settings.sequence, tid[trace], executed, stop)
    return Block(rows, tid, emitter, double, length, aborted, Clock(end, int(tid[-1])))


def _abort_probability(invalid_fraction: float) -> float:
    """Return the share of traces that end with an invalid row, for a share of invalid rows."""
    return invalid_fraction * MEAN_TRACE_LENGTH / (1 - invalid_fraction)


def _executed(
    rng: np.random.Generator, sequence: Sequence, first: Array, invalid: Array
) -> tuple[Array, Array]:
    """Return the iterations that gave a position, (n, K), and where a row was aborted, (n,)."""
    n_iterations = sequence.n_iterations
    begin = np.where(first, 0, n_iterations - sequence.relocalised)
    stop = np.full(first.size, n_iterations)
    stop[invalid] = rng.integers(begin[invalid], n_iterations)
    number = np.arange(n_iterations)
    return (number >= begin[:, None]) & (number < stop[:, None]), stop


def _fill_photons(
    rng: np.random.Generator,
    nested: Array,
    settings: Settings,
    trace: Array,
    executed: Array,
    emitter: Array,
    double: Array,
) -> None:
    """Fill counts, frequencies and ratios; iterations that were not executed stay empty."""
    shape, measured = executed.shape, np.array(settings.sequence.cfr_measured)
    limits = np.array(settings.sequence.limits)
    eco = limits + (0.12 * limits * rng.standard_exponential(shape, np.float32)).astype(np.int32)
    brightness = _MEAN_EFO_HZ * np.exp(0.22 * rng.standard_normal(double.size)) * (1 + double)
    jitter = 1 + 0.1 * np.clip(rng.standard_normal(shape, np.float32), -4, 4)
    efo = brightness[trace][:, None] * jitter
    ratio = np.rint((0.5 + 0.12 * rng.standard_normal(shape, np.float32)) * 32768) / 32768
    ratio[ratio == CFR_NOT_MEASURED] = 0.0
    dcr = _MEAN_DCR[settings.scene.species[emitter]][trace][:, None]
    dcr = np.clip(dcr + 0.05 * rng.standard_normal(shape, np.float32), 0.0, 1.0)
    nested["eco"] = np.where(executed, eco, 0)
    nested["ecc"] = np.where(executed, np.rint(0.5 * eco * ratio), 0)
    nested["efo"] = np.where(executed, efo, np.nan)
    nested["dcr"] = np.where(executed, dcr, np.nan)
    nested["cfr"] = np.where(executed & measured, ratio, CFR_NOT_MEASURED)
    nested["efc"] = np.where(executed, np.where(measured, efo * ratio, -np.inf), np.nan)
    nested["fbg"] = (8e3 * np.exp(0.3 * rng.standard_normal(double.size)))[trace][:, None]


def _fill_times(rows: Array, executed: Array, wait_s: Array, start: int) -> int:
    """Fill tic and tim; return the tick at which the block ends."""
    nested = rows["itr"]
    busy = np.where(executed, nested["eco"], 0) / np.where(executed, nested["efo"], 1.0)
    ticks = np.where(executed, (busy + _OVERHEAD_S) * _TICKS_PER_S, _SKIPPED_TICKS)
    ticks = ticks.astype(np.int64)
    ticks[:, 0] += (wait_s * _TICKS_PER_S).astype(np.int64)
    total = start + np.cumsum(ticks.reshape(-1)).reshape(ticks.shape)
    nested["tic"] = total
    rows["tim"] = total[:, -1] * _TICK_S
    return int(total[-1, -1])


def _fill_positions(
    rng: np.random.Generator, rows: Array, settings: Settings, truth: Array, executed: Array
) -> None:
    """Fill positions: Gaussian around the moved emitter, wider where the pattern is wider."""
    nested, sequence = rows["itr"], settings.sequence
    spread = np.array(settings.precision_m) * (sequence.ext / sequence.ext[-1])
    centre = (truth + settings.motion.at(rows["tim"]))[:, np.newaxis]
    noise = rng.standard_normal((*executed.shape, 3), np.float32) * spread
    loc = centre + noise
    if sequence.dimensions == 2:
        loc[..., 2] = 0.0
    beam = 0.5 * noise
    loc[~executed] = np.nan
    beam[~executed] = 0.0
    nested["loc"] = loc
    nested["lnc"] = loc
    # position = galvo + deflector + position in the beam, as in the real files
    for axis, galvo, deflector, inner in ((0, "gvx", "eox", "lcx"), (1, "gvy", "eoy", "lcy")):
        nested[galvo] = centre[..., axis]
        nested[inner] = beam[..., axis]
        nested[deflector] = np.where(executed, loc[..., axis] - centre[..., axis], 0.0)
        nested[deflector] -= beam[..., axis]
    if sequence.dimensions == 3:
        nested["lcz"] = beam[..., 2]
        nested["dmz"] = np.where(executed, loc[..., 2] - beam[..., 2], 0.0)


def _fill_rest(rows: Array, sequence: Sequence, tid: Array, executed: Array, stop: Array) -> None:
    nested = rows["itr"]
    nested["itr"] = np.arange(sequence.n_iterations)
    nested["ext"] = sequence.ext
    aborted = np.flatnonzero(stop < sequence.n_iterations)
    status = np.zeros(executed.shape, np.int32)
    status[aborted, stop[aborted]] = _NO_SIGNAL
    nested["sta"] = status
    rows["gri"] = tid
    rows["tid"] = tid
    rows["vld"] = stop == sequence.n_iterations
    rows["dos"] = 255
    rows["sky"] = 2
