"""Boxes of values of HDF5 datasets; gzip chunks are inflated here, up to the size they claim.

HDF5 itself inflates a chunk to whatever it gives, so a few kilobytes could take all memory.
"""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["read_box"]

Array = np.ndarray[Any, Any]
Box = tuple[tuple[int, int], ...]
_GZIP, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_HINT = "The file is damaged; copy or export it again."


def read_box(dataset: Any, box: Box, source: FileSource) -> Array:
    """Return the values in a box.

    Parameters
    ----------
    dataset
        An ``h5py.Dataset`` that passed `hdf5.check_dataset`.
    box
        (start, stop) of every axis.
    source
        The file, for errors.

    Raises
    ------
    DataError
        If a chunk does not inflate to its size.

    Notes
    -----
    Every chunk that the box touches is read and inflated once.
    """
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    if dataset.chunks is None or _GZIP not in [entry[0] for entry in filters]:
        return np.asarray(dataset[tuple(slice(*ends) for ends in box)])
    values = np.empty([stop - start for start, stop in box], dataset.dtype)
    if not values.size:
        return values
    ranges = (
        range(start // size * size, stop, size)
        for (start, stop), size in zip(box, dataset.chunks, strict=True)
    )
    for corner in itertools.product(*ranges):
        _place(values, box, corner, _chunk(dataset, corner, filters, source))
    return values


def _place(values: Array, box: Box, corner: tuple[int, ...], chunk: Array) -> None:
    into, out = [], []
    for (start, stop), begin, size in zip(box, corner, chunk.shape, strict=True):
        low, high = max(start, begin), min(stop, begin + size)
        into.append(slice(low - start, high - start))
        out.append(slice(low - begin, high - begin))
    values[tuple(into)] = chunk[tuple(out)]


def _chunk(dataset: Any, corner: tuple[int, ...], filters: list[Any], source: FileSource) -> Array:
    shape = dataset.chunks
    n_bytes = int(np.prod(shape, dtype=np.int64)) * dataset.dtype.itemsize
    mask, raw = dataset.id.read_direct_chunk(corner)
    sums = sum(entry[0] == _FLETCHER32 for entry in filters)
    for number in reversed(range(len(filters))):
        code, _, settings, _ = filters[number]
        if mask >> number & 1:
            continue
        if code == _GZIP:
            # checksums that were added before deflating are inside
            raw = _inflate(raw, n_bytes + 4 * sums)
        elif code == _SHUFFLE and raw is not None:
            raw = _unshuffle(raw, settings[0] if settings else dataset.dtype.itemsize)
        elif code == _FLETCHER32 and raw is not None:
            # the checksum of zlib covers the same bytes
            raw = raw[:-4]
    if raw is None or len(raw) != n_bytes:
        place = f"dataset {dataset.name}, chunk {corner}"
        raise DataError(
            f"a chunk does not hold its {n_bytes} bytes", path=source.path, place=place, hint=_HINT
        )
    return np.frombuffer(raw, dataset.dtype).reshape(shape)


def _inflate(raw: bytes | None, cap: int) -> bytes | None:
    """Return the inflated bytes, None where they are damaged or more than ``cap``."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(raw or b"", cap + 1)
    except zlib.error:
        return None
    return found if inflater.eof or len(found) > cap else None


def _unshuffle(raw: bytes, size: int) -> bytes:
    count = len(raw) // size if size else 0
    body = np.frombuffer(raw, np.uint8, count * size).reshape(size or 1, -1)
    return body.T.tobytes() + raw[count * size :]
