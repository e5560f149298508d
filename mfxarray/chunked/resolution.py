"""Sums over Fourier rings of the halves of a data set, for any number of points and any field."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.scratch import Scratch, Sorted, keep_sorted
from mfxarray.kernels.rendering.rendering import sort_points
from mfxarray.kernels.resolution.fourier_rings import half_spectrum, ring_coefficients, ring_sums
from mfxarray.kernels.resolution.halves import add_half, split_words
from mfxarray.kernels.resolution.ring_fields import Field
from mfxarray.options import get_options

__all__ = ["Split", "coefficients", "sums_of_halves"]

Array = np.ndarray[Any, Any]

# more than this waits in files
_IN_MEMORY = 128 * 2**20
# with fewer images than this, splits are tasks of their own
_FEW_IMAGES = 8


@dataclass(frozen=True)
class Split:
    """How points are split.

    Attributes
    ----------
    seed
        Of the hash.
    repeats
        How many splits are made.
    keys
        Columns that rows have in common if they stay together, shape (row,) each; none if every
        row is on its own.
    """

    seed: int
    repeats: int
    keys: tuple[da.Array, ...]


def coefficients(field: Field) -> da.Array:
    """Return how many independent Fourier coefficients each ring has, shape (ring,), lazily.

    Coefficients of the whole plane; zeros that were added make more of them, not more independent
    ones, and tiles count together.
    """
    name = f"ring-coefficients-{tokenize(field)}"
    tasks = {(name, 0): (_coefficients, field)}
    return graph_array(name, tasks, (), ((field.rings.count,),), np.float64)


def _coefficients(field: Field) -> Array:
    return ring_coefficients(field.rings) * (field.filled * field.tiles.count)


def sums_of_halves(
    used: da.Array,
    position: da.Array,
    field: Field,
    split: Split,
    steps: tuple[da.Array, int] | None = None,
    disk: bool | None = None,
) -> tuple[da.Array, da.Array]:
    """Return what Fourier ring correlations are made of, and how many points each half has.

    Parameters
    ----------
    used
        Which points count, shape (row,), bool.
    position
        Shape (row, axis), chunked as ``used``; what is outside of the field does not count.
    field
        Result of `field_of`.
    split
        How points are split.
    steps
        The step from which on each point counts, shape (row,), and the number of steps.
    disk
        Whether points wait in files; by default if they are more than 128 MiB.

    Returns
    -------
    sums
        Of `ring_sums`, shape (step, repeat, 3, ring), float64, added over tiles in their order.
    points
        Shape (step, repeat, 2), int64.

    Notes
    -----
    One pass over the points. A point waits for its image as 8 bytes and one for every 8 repeats. A
    task holds a block of points, or one image and two spectra: 12 bytes a pixel of a tile.
    """
    keys = [key.rechunk(used.chunks) for key in split.keys]
    columns = [*keys, *([] if steps is None else [steps[0].rechunk(used.chunks)])]
    number = 1 if steps is None else steps[1]
    names = [array.name for array in (used, position, *columns)]
    name = f"ring-sums-{tokenize(names, field, split.seed, split.repeats, number, len(keys))}"
    dtype = _record_dtype(split.repeats, steps is not None)
    in_files = used.shape[0] * dtype.itemsize > _IN_MEMORY if disk is None else disk
    scratch = Scratch(get_options().scratch_folder) if in_files else None
    tasks: dict[Any, Any] = {f"{name}-field": field}
    make = partial(_part, seed=split.seed, dtype=dtype, scratch=scratch, n_keys=len(keys))
    first = 0
    for block, rows in enumerate(used.chunks[0]):
        parts = [(array.name, block) for array in columns]
        place = (position.name, block, 0)
        file = f"{name}-{block}.bin"
        tasks[f"{name}-part-{block}"] = (
            make,
            f"{name}-field",
            (used.name, block),
            place,
            parts,
            first,
            file,
        )
        first += rows
    tasks[f"{name}-parts"] = (list, [f"{name}-part-{block}" for block in range(used.numblocks[0])])
    _add_images(tasks, name, field.tiles.count, number, split.repeats)
    shape = (number, split.repeats, 3 * field.rings.count + 2)
    found = graph_array(
        name, tasks, (used, position, *columns), tuple((n,) for n in shape), np.float64
    )
    sums = found[..., :-2].reshape(number, split.repeats, 3, field.rings.count)
    return sums, found[..., -2:].astype(np.int64)


def _add_images(tasks: dict[Any, Any], name: str, tiles: int, steps: int, repeats: int) -> None:
    """Add the tasks of all images; many images are one task each, few are one for every split."""
    needs = (f"{name}-parts", f"{name}-field")
    found: list[list[Any]] = []
    for step in range(steps):
        for tile in range(tiles):
            at = f"{name}-{step}-{tile}"
            if tiles * steps >= _FEW_IMAGES:
                tasks[f"{at}-all"] = (_whole_tile, *needs, tile, step, repeats)
                found.append([f"{at}-all"])
                continue
            tasks[f"{at}-total"] = (_spectrum, *needs, tile, step, None)
            for repeat in range(repeats):
                tasks[f"{at}-{repeat}-first"] = (_spectrum, *needs, tile, step, repeat)
                tasks[f"{at}-{repeat}"] = (
                    _one_split,
                    f"{name}-field",
                    f"{at}-total",
                    f"{at}-{repeat}-first",
                )
            found.append([f"{at}-{repeat}" for repeat in range(repeats)])
    tasks[(name, 0, 0, 0)] = (partial(_added, steps=steps, repeats=repeats), found)


def _record_dtype(repeats: int, stepped: bool) -> np.dtype[Any]:
    word = next(np.dtype(f"u{size}") for size in (1, 2, 4, 8) if repeats <= 8 * size)
    fields: list[Any] = [("tile", np.int32), ("place", np.int32), ("halves", word)]
    return np.dtype([*fields, *([("step", np.int32)] if stepped else [])])


def _part(
    field: Field,
    used: Array,
    position: Array,
    columns: list[Array],
    first: int,
    name: str,
    *,
    seed: int,
    dtype: np.dtype[Any],
    scratch: Scratch | None,
    n_keys: int,
) -> Sorted:
    """Keep the points of a block: their pixels and halves, sorted by tiles."""
    place, row, bounds = sort_points(position, used, field.columns, field.grid, field.tiles)
    records = np.empty(len(place), dtype)
    records["tile"] = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
    records["place"] = place
    keys = [column[row] for column in columns[:n_keys]] or [row.astype(np.int64) + first]
    # the lowest bits are as good as any
    records["halves"] = split_words(seed, keys).astype(dtype["halves"])
    if "step" in (dtype.names or ()):
        records["step"] = columns[n_keys][row]
    return keep_sorted(records, "tile", scratch, name)


def _spectrum(
    parts: list[Sorted], field: Field, tile: int, step: int, split: int | None
) -> tuple[Array, int] | None:
    """Return the spectrum of one half, and its number of points; None without any."""
    image, found = np.zeros(field.rings.shape, np.float32), 0
    solid = image.reshape((1, *image.shape)[-3:])
    for part in parts:
        records = part.between(tile, tile + 1)
        names = records.dtype.names or ()
        steps = records["step"] if "step" in names else np.empty(0, np.int32)
        place, halves, until = (
            np.ascontiguousarray(column) for column in (records["place"], records["halves"], steps)
        )
        found += add_half(
            solid, place, halves, until, bits=field.tiles.bits, split=split, until=step
        )
    return (half_spectrum(image), found) if found else None


def _one_split(
    field: Field, total: tuple[Array, int] | None, first: tuple[Array, int] | None
) -> Array:
    """Return the sums of one split, one after the other, and the points of both halves."""
    if total is None:
        return np.zeros(3 * field.rings.count + 2)
    spectrum, n = (np.zeros_like(total[0]), 0) if first is None else first
    sums = ring_sums(total[0], spectrum, field.rings)
    return np.concatenate([sums.ravel(), [n, total[1] - n]])


def _whole_tile(parts: list[Sorted], field: Field, tile: int, step: int, repeats: int) -> Array:
    """Return `_one_split` of all splits, shape (repeat, ...)."""
    total = _spectrum(parts, field, tile, step, None)
    if total is None:
        return np.zeros((repeats, 3 * field.rings.count + 2))
    return np.stack(
        [
            _one_split(field, total, _spectrum(parts, field, tile, step, split))
            for split in range(repeats)
        ]
    )


def _added(found: list[list[Array]], *, steps: int, repeats: int) -> Array:
    """Return the sums over the tiles of each step."""
    each = [np.stack(splits).reshape(repeats, -1) for splits in found]
    tiles = len(each) // steps
    sums = [
        sum(each[step * tiles : (step + 1) * tiles][1:], each[step * tiles])
        for step in range(steps)
    ]
    return np.stack(sums)
