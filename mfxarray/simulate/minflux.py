"""MINFLUX measurements with a known truth, streamed to ``.npy`` files of any size."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mfxarray.formats.npy.fields import record_dtype
from mfxarray.simulate.minflux_beads import bead_positions, bead_table
from mfxarray.simulate.minflux_blocks import (
    MEAN_TRACE_LENGTH,
    Block,
    Clock,
    Motion,
    Settings,
    make_block,
)
from mfxarray.simulate.minflux_scene import make_scene, make_sequence
from mfxarray.writers.npy import NpyWriter

__all__ = ["MinfluxTruth", "Motion", "simulate_minflux", "simulate_washes"]

Vector = tuple[float, float, float]
Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MinfluxTruth:
    """What is true about a simulated file; arrays have one entry for each trace in file order.

    Attributes
    ----------
    trace_tid
        Trace ids, shape (trace,).
    trace_centre
        Position of the emitter without any motion, metres, shape (trace, 3).
    trace_emitter
        Number of the emitter, shape (trace,).
    trace_species
        Number of the fluorophore, 0 or 1, shape (trace,).
    trace_double
        Whether two emitters were on at once, shape (trace,).
    trace_rows
        Rows of the trace in the file, shape (trace,).
    trace_valid
        Rows of them that are valid, shape (trace,).
    emitters
        All emitters, metres, shape (emitter, 3); the same in every wash of a seed.
    precision_m
        Standard deviation of the last iteration along x, y, z, metres.
    motion
        Displacement as a function of time; a position is expected at
        ``trace_centre + motion.at(tim)``.
    duration_s
        Time of the last row, seconds.
    bead_positions
        Beads without motion, metres, shape (bead, 3); empty where no beads were made.
    """

    trace_tid: Array = field(repr=False)
    trace_centre: Array = field(repr=False)
    trace_emitter: Array = field(repr=False)
    trace_species: Array = field(repr=False)
    trace_double: Array = field(repr=False)
    trace_rows: Array = field(repr=False)
    trace_valid: Array = field(repr=False)
    emitters: Array = field(repr=False)
    precision_m: Vector
    motion: Motion
    duration_s: float
    bead_positions: Array = field(repr=False)


def simulate_minflux(
    path: str | os.PathLike[str],
    *,
    localizations: int = 10_000,
    seed: int = 0,
    dimensions: int = 3,
    iterations: int | None = None,
    precision_m: float | Vector = 2e-9,
    field_m: float = 5e-6,
    invalid_fraction: float = 0.05,
    drift_m_per_s: Vector = (0.0, 0.0, 0.0),
    jump_m: Vector = (0.0, 0.0, 0.0),
    wash: int = 0,
    progress: Progress | None = None,
) -> MinfluxTruth:
    """Write a nested ``.npy`` file and return what is true about it.

    Parameters
    ----------
    path
        Target; appears when it is complete.
    localizations
        Rows of the file, invalid ones included. The last trace is cut there.
    seed
        The same seed and parameters give the same bytes.
    dimensions
        2 or 3. In 2D all z are exactly 0.
    iterations
        Iterations of a localization; by default 5 in 2D and 10 in 3D.
    precision_m
        Standard deviation of a position in the last iteration, one number or x, y, z. Earlier
        iterations are wider in proportion to their pattern.
    field_m
        Side of the square field.
    invalid_fraction
        Expected share of rows that are invalid; such a row ends its trace. At most 1/11, which
        ends every trace so.
    drift_m_per_s, jump_m
        Motion of the whole scene: a velocity and a constant displacement.
    wash
        Number of the wash; another wash has other traces of the same emitters.
    progress
        Called with (rows written, rows in all) after every block.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Memory is about 120 MB whatever the size of the file, besides the truth: 65 bytes a trace,
    0.3 % of the file.
    """
    if localizations < 1 or seed < 0 or wash < 0 or field_m <= 0:
        raise ValueError("localizations and field_m must be positive, seed and wash not negative")
    if not 0 <= invalid_fraction <= 1 / (MEAN_TRACE_LENGTH + 1):
        raise ValueError(f"invalid_fraction must be 0 to 1/11, not {invalid_fraction!r}")
    if np.min(precision_m) < 0:
        raise ValueError(f"precision_m must not be negative, not {precision_m!r}")
    sequence = make_sequence(dimensions, iterations)
    scene = make_scene(seed, dimensions, field_m)
    flat = dimensions == 2
    motion = Motion(_vector(jump_m, flat), _vector(drift_m_per_s, flat))
    precision = _vector(precision_m, flat)
    settings = Settings(sequence, scene, motion, precision, invalid_fraction, seed, wash)
    kept: list[dict[str, Array]] = []
    end = 0.0
    with NpyWriter(path, record_dtype(sequence.n_iterations), localizations) as writer:
        done = 0
        for block in _blocks(settings, localizations):
            writer.write(block.rows)
            done += len(block.rows)
            end = float(block.rows["tim"][-1])
            kept.append(_block_truth(block, settings))
            if progress is not None:
                progress(done, localizations)
    return MinfluxTruth(
        **_joined(kept),
        emitters=scene.emitters,
        precision_m=precision,
        motion=motion,
        duration_s=end,
        bead_positions=np.empty((0, 3)),
    )


def simulate_washes(
    folder: str | os.PathLike[str],
    *,
    washes: int = 2,
    localizations: int = 10_000,
    seed: int = 0,
    dimensions: int = 3,
    jump_m: Vector = (120e-9, -80e-9, 30e-9),
    drift_m_per_s: Vector = (5e-12, -3e-12, 2e-12),
    field_m: float = 5e-6,
    **settings: Any,
) -> tuple[MinfluxTruth, ...]:
    """Write wash0.npy, wash1.npy, ... and their beads, and return what is true about each.

    Parameters
    ----------
    folder
        Folder that exists. ``wash0.beads.json`` stands beside ``wash0.npy`` and holds
        {"points": [{"name", "gri", "tim", "xyz", "str"}, ...], "used": ["R1", ...]}: seconds,
        metres, and a signal strength that is 0 for a failed sample.
    washes
        Number of files.
    localizations, seed, dimensions, field_m
        As for `simulate_minflux`.
    jump_m
        Stage jump from one wash to the next; wash n stands at n times this.
    drift_m_per_s
        Drift within every wash; localizations and beads see the same.
    **settings
        Further parameters of `simulate_minflux`.
    """
    truths = []
    for wash in range(washes):
        jump = (wash * jump_m[0], wash * jump_m[1], wash * jump_m[2])
        truth = simulate_minflux(
            Path(folder, f"wash{wash}.npy"),
            localizations=localizations,
            seed=seed,
            dimensions=dimensions,
            field_m=field_m,
            jump_m=jump,
            drift_m_per_s=drift_m_per_s,
            wash=wash,
            **settings,
        )
        truth = replace(truth, bead_positions=bead_positions(seed, dimensions, field_m))
        table = bead_table(seed, wash, truth.bead_positions, truth.motion, truth.duration_s)
        text = json.dumps(table, allow_nan=False)
        Path(folder, f"wash{wash}.beads.json").write_text(text, encoding="utf-8")
        truths.append(truth)
    return tuple(truths)


def _vector(value: float | Vector, flat: bool) -> Vector:
    x, y, z = np.broadcast_to(np.asarray(value, float), (3,)).tolist()
    return (x, y, 0.0 if flat else z)


def _blocks(settings: Settings, localizations: int) -> Iterator[Block]:
    """Yield blocks of traces until the rows are enough; the last one is cut."""
    clock, number, left = Clock(), 0, localizations
    while left > 0:
        block = make_block(settings, number, clock)
        if len(block.rows) > left:
            block = _cut(block, left)
        yield block
        clock, number, left = block.end, number + 1, left - len(block.rows)


def _cut(block: Block, n_rows: int) -> Block:
    before = np.cumsum(block.length) - block.length
    kept = before < n_rows
    length = np.minimum(block.length, n_rows - before)
    aborted = block.aborted & (length == block.length)
    return Block(
        rows=block.rows[:n_rows],
        tid=block.tid[kept],
        emitter=block.emitter[kept],
        double=block.double[kept],
        length=length[kept],
        aborted=aborted[kept],
        end=block.end,
    )


def _block_truth(block: Block, settings: Settings) -> dict[str, Array]:
    return {
        "trace_tid": block.tid,
        "trace_centre": settings.scene.emitters[block.emitter],
        "trace_emitter": block.emitter,
        "trace_species": settings.scene.species[block.emitter],
        "trace_double": block.double,
        "trace_rows": block.length,
        "trace_valid": block.length - block.aborted,
    }


def _joined(blocks: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
