"""Localizations and traces as points for ParaView: .vtu files, one a wash and one of all."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from mfxarray.stores.export_rows import (
    check_numbers,
    cut_alike,
    has_washes,
    kept_rows,
    wash_labels,
    wash_numbers,
)
from mfxarray.stores.several_files import staged_files
from mfxarray.stores.tasks import Call, block_keys, in_order
from mfxarray.stores.vtu_fields import PointField, point_fields
from mfxarray.stores.vtu_file import PointArray, PointFile

__all__ = ["write_vtu"]

Array = np.ndarray[Any, Any]

UNITS = {"m": 1.0, "um": 1e6, "nm": 1e9}


@dataclass(frozen=True)
class _Counts:
    """Points of one block by wash, shape (wash,), and the largest values in it."""

    by_wash: Array
    largest: tuple[float, ...]


@dataclass(frozen=True)
class _Target:
    """One file; ``wash`` is None for all."""

    path: str
    file: PointFile
    wash: int | None


def write_vtu(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    unit: str = "m",
    position: str | None = None,
    fields: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write points for ParaView: all in one file, and those of every wash in one each.

    Parameters
    ----------
    ds
        Localizations, of which those are written that are valid, passed all filters and have a
        position; or traces, of which those that passed all filters.
    path
        The file of all points, which ends in ".vtu". Where there are several washes, "all.vtu" has
        "all_P1.vtu" beside it for the wash of that label.
    unit
        "m", "um" or "nm": of the positions, of ``se`` and of every variable in metres.
    position
        Of localizations: which positions; the most corrected ones by default.
    fields
        Further variables of one number a row (of the iteration that tells); by default the photon
        statistics that are there.
    overwrite
        Replace files that are there, once all new ones are complete.

    Returns
    -------
    list of pathlib.Path
        The files: all points, then each wash.

    Raises
    ------
    DataError
        If a file exists and ``overwrite`` is off, or the folder is missing.
    ValueError
        If the unit is unknown, or the Dataset lacks what is needed.

    Notes
    -----
    Point data: ``tid2`` (number of the trace, from 0, over all washes), ``tid``, ``tim`` (s),
    ``wash`` (from 1; field data "wash <label>" tell the number of each label); of traces also
    ``se``, ``nl``, ``se_norm`` and ``nl_norm`` (over the largest of all washes) and the clusters
    ``cls_...``, -1 where there are none. The field datum ``metres_per_unit`` tells the unit.
    Integers are integers. A wash without points is a file without points.

    Two passes: one counts the points of every block, and then every task writes its points to their
    places, in parallel; in memory are the blocks at work. The bytes do not depend on chunks or
    scheduler.
    """
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, not {unit!r}")
    if Path(path).suffix.lower() != ".vtu":
        raise ValueError(f"the file must end in .vtu, not {os.fspath(path)!r}")
    labels = wash_labels(ds)
    paths = _paths(Path(path), labels if has_washes(ds) else ())
    with staged_files(paths, overwrite=overwrite) as staged:
        place, found = point_fields(ds, position, fields, UNITS[unit])
        keep = kept_rows(ds, place)
        numbers = wash_numbers(ds, place)
        keep, numbers, place, *arrays = cut_alike(
            [keep, numbers, place, *(field.data for field in found)]
        )
        counts = _counts(keep, numbers, found, arrays, len(labels))
        points = _point_arrays(place, found)
        # numbers, because not all that read these files know text
        facts = [("metres_per_unit", 1 / UNITS[unit])]
        facts += [(f"wash {label}", float(wash)) for wash, label in enumerate(labels, 1)]
        targets = _targets(staged, counts, points, tuple(facts))
        for target in targets:
            target.file.create(target.path)
        largest = [max(block.largest[i] for block in counts) for i in range(len(found))]
        compute(_tasks(targets, counts, found, largest, [keep, numbers, place, *arrays]))
    return paths


def _paths(path: Path, labels: Sequence[str]) -> list[Path]:
    """Return the file of all points and those of the washes, if there are several."""
    if len(labels) < 2:
        return [path]
    found = [path]
    for number, label in enumerate(labels, 1):
        name = re.sub(r"[^\w.-]+", "_", label)[:60].strip(".") or str(number)
        own = path.with_name(f"{path.stem}_{name}{path.suffix}")
        taken = {str(other).casefold() for other in found}
        if str(own).casefold() in taken:
            own = path.with_name(f"{path.stem}_{name}_{number}{path.suffix}")
        found.append(own)
    return found


def _counts(
    keep: da.Array,
    numbers: da.Array,
    fields: Sequence[PointField],
    arrays: Sequence[da.Array],
    n_washes: int,
) -> list[_Counts]:
    """Count the points of every block by wash: the first pass."""
    normed = [array for field, array in zip(fields, arrays, strict=True) if field.normed]
    sources = [keep, numbers, *normed]
    keys = [list(block_keys(array).values()) for array in sources]
    which = tuple(field.normed for field in fields)
    count = partial(_count, n_washes=n_washes, normed=which)
    calls: list[Call] = [
        (count, [row[block] for row in keys]) for block in range(keep.numblocks[0])
    ]
    (found,) = compute(in_order(calls, sources))
    return list(found)


def _count(blocks: list[Array], *, n_washes: int, normed: tuple[bool, ...]) -> _Counts:
    keep, numbers, *rest = blocks
    chosen = numbers[keep]
    check_numbers(chosen, n_washes)
    values = iter(rest)
    largest = [
        float(np.fmax.reduce(next(values)[keep], initial=0.0)) if norm else 0.0 for norm in normed
    ]
    return _Counts(np.bincount(chosen, minlength=n_washes), tuple(largest))


def _point_arrays(place: da.Array, fields: Sequence[PointField]) -> tuple[PointArray, ...]:
    points = [PointArray("points", np.dtype("<f8"), 3)]
    points += [PointArray(field.name, field.dtype) for field in fields]
    points += [PointArray("wash", np.dtype("<i4"))]
    points += [
        PointArray(f"{field.name}_norm", np.dtype("<f8")) for field in fields if field.normed
    ]
    return tuple(points)


def _targets(
    staged: Sequence[str],
    counts: Sequence[_Counts],
    points: tuple[PointArray, ...],
    facts: tuple[tuple[str, float], ...],
) -> list[_Target]:
    sizes = np.sum([block.by_wash for block in counts], axis=0)
    found = [_Target(staged[0], PointFile(int(sizes.sum()), points, facts), None)]
    for wash, path in enumerate(staged[1:]):
        found.append(_Target(path, PointFile(int(sizes[wash]), points, facts), wash))
    return found


def _tasks(
    targets: Sequence[_Target],
    counts: Sequence[_Counts],
    fields: Sequence[PointField],
    largest: Sequence[float],
    arrays: Sequence[da.Array],
) -> Any:
    keys = [list(block_keys(array).values()) for array in arrays]
    peaks = tuple(
        peak if field.normed else None for field, peak in zip(fields, largest, strict=True)
    )
    before = np.zeros_like(counts[0].by_wash)
    calls: list[Call] = []
    for block, found in enumerate(counts):
        firsts = [int(before.sum() if t.wash is None else before[t.wash]) for t in targets]
        places = tuple(zip(targets, firsts, strict=True))
        calls.append((partial(_write_block, places, peaks), [row[block] for row in keys]))
        before = before + found.by_wash
    return in_order(calls, arrays)


def _write_block(
    places: Sequence[tuple[_Target, int]], peaks: Sequence[float | None], blocks: list[Array]
) -> None:
    """Write the points of one block into all files; run twice, it writes the same bytes."""
    keep, numbers, *values = blocks
    chosen = numbers[keep]
    columns = [block[keep] for block in values]
    norms = [
        column / peak if peak else np.zeros(len(column))
        for column, peak in zip(columns[1:], peaks, strict=True)
        if peak is not None
    ]
    columns += [chosen + 1, *norms]
    for target, first in places:
        rows = slice(None) if target.wash is None else chosen == target.wash
        own = [column[rows] for column in columns]
        if len(own[0]):
            target.file.write(target.path, first, own)
