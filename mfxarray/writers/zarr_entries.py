"""Keys and values of a MINFLUX archive in Zarr format 2, in the order of Imspector."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, get_args

import numpy as np
from numcodecs import Blosc

from mfxarray.formats.tables import BeadTrack
from mfxarray.writers.outgoing import Outgoing

__all__ = ["BeadLayout", "Entry", "check_outgoing", "encode", "zarr_entries"]

Array = np.ndarray[Any, Any]
Entry = tuple[str, bytes | None]
BeadLayout = Literal["m2410", "m2205"]

_CHUNK_BYTES = 2**20
_BEAD_ROWS = 1000
_AHEAD = 4
_VERSION = "2.1"
_COMPRESSOR = {"blocksize": 0, "clevel": 5, "cname": "lz4", "id": "blosc", "shuffle": 1}
_POINT = np.dtype([("gri", "<u4"), ("xyz", "<f8", (3,)), ("tim", "<f4"), ("str", "<f4")])
_SAMPLE = np.dtype([("tim", "<f8"), ("pos", "<f8", (3,)), ("str", "<f8"), ("tid", "<i4")])
_NAME = re.compile(r"\w[\w.+ -]{0,100}")


def check_outgoing(outgoing: Outgoing, chunk_rows: int | None, bead_layout: str) -> None:
    """Raise ValueError if a data set cannot be written like this."""
    if chunk_rows is not None and chunk_rows < 1:
        raise ValueError(f"chunk_rows must be at least 1, not {chunk_rows}")
    if bead_layout not in get_args(BeadLayout):
        raise ValueError(f"bead_layout must be one of {get_args(BeadLayout)}, not {bead_layout!r}")
    if outgoing.dtype.names is None or outgoing.dtype.hasobject:
        raise ValueError(f"records must be structured and without objects, not {outgoing.dtype}")
    names = [bead.name for bead in outgoing.beads]
    if len(set(names)) != len(names):
        raise ValueError(f"bead names must differ: {', '.join(sorted(names))}")
    if bead_layout == "m2205" and not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(f"bead names must be usable as folder names: {', '.join(sorted(names))}")


def zarr_entries(
    outgoing: Outgoing,
    *,
    chunk_rows: int | None = None,
    bead_layout: BeadLayout = "m2410",
) -> Iterator[Entry]:
    """Yield all keys of an archive, from "zarr" on, and their bytes; None for a folder.

    Parameters
    ----------
    outgoing
        The data set.
    chunk_rows
        Records in a chunk; about 1 MiB of them if not given.
    bead_layout
        "m2410": one array for all beads; "m2205": one array each.

    Raises
    ------
    ValueError
        See `check_outgoing`; also if the blocks do not hold ``n_rows`` records.

    Notes
    -----
    Folders come before what is in them. Chunks are made while they are asked for, a few ahead.
    The bytes depend on the data only, not on threads.
    """
    check_outgoing(outgoing, chunk_rows, bead_layout)
    yield "zarr", None
    if outgoing.beads:
        yield from _group("zarr/grd")
        yield from _beads(outgoing.beads, bead_layout)
    yield "zarr/.zgroup", _json({"zarr_format": 2})
    if outgoing.rois:
        yield "zarr/.zattrs", _json({"rois": list(outgoing.rois), "version": _VERSION})
    rows = chunk_rows or max(1, min(_CHUNK_BYTES // outgoing.dtype.itemsize, outgoing.n_rows))
    blocks = outgoing.blocks()
    yield from _array("zarr/mfx", outgoing.dtype, outgoing.n_rows, rows, blocks, outgoing.attrs)
    if outgoing.beads and bead_layout == "m2410":
        yield from _group("zarr/mbm")
        yield "zarr/mbm/.zattrs", _json({"neighbourhood": [], "used": _used(outgoing.beads)})


def _group(key: str) -> Iterator[Entry]:
    yield key, None
    yield f"{key}/.zgroup", _json({"zarr_format": 2})


def _used(beads: Iterable[BeadTrack]) -> list[str]:
    return [bead.name for bead in beads if bead.used]


def _beads(beads: tuple[BeadTrack, ...], layout: BeadLayout) -> Iterator[Entry]:
    yield from _group("zarr/grd/mbm")
    if layout == "m2410":
        points = _points(beads)
        known = {str(bead.gri): {"gri": int(bead.gri), "name": bead.name} for bead in beads}
        attrs: dict[str, Any] = {"points_by_gri": known}
        folder = "zarr/grd/mbm/points"
        yield from _array(folder, _POINT, len(points), _BEAD_ROWS, iter([points]), attrs)
        return
    yield "zarr/grd/mbm/.zattrs", _json({"used": _used(beads)})
    for bead in beads:
        rows = np.zeros(bead.tim.size, _SAMPLE)
        rows["tim"], rows["str"], rows["tid"] = bead.tim, bead.strength, bead.gri
        rows["pos"] = np.nan_to_num(bead.position, nan=0.0)
        attrs = {"gri": int(bead.gri), "name": bead.name}
        folder = f"zarr/grd/mbm/{bead.name}"
        yield from _array(folder, _SAMPLE, len(rows), _BEAD_ROWS, iter([rows]), attrs)


def _points(beads: tuple[BeadTrack, ...]) -> Array:
    """Return the samples of all beads in the order of time."""
    points = np.zeros(sum(bead.tim.size for bead in beads), _POINT)
    times = np.concatenate([bead.tim for bead in beads])
    points["gri"] = np.repeat([bead.gri for bead in beads], [bead.tim.size for bead in beads])
    points["xyz"] = np.nan_to_num(np.concatenate([bead.position for bead in beads]), nan=0.0)
    points["tim"] = times
    points["str"] = np.concatenate([bead.strength for bead in beads])
    return points[np.argsort(times, kind="stable")]


def _array(
    key: str,
    dtype: np.dtype[Any],
    n_rows: int,
    chunk_rows: int,
    blocks: Iterator[Array],
    attrs: dict[str, Any],
) -> Iterator[Entry]:
    yield key, None
    if attrs:
        yield f"{key}/.zattrs", _json(attrs)
    chunks = _chunks(dtype, n_rows, chunk_rows, blocks)
    for number, packed in enumerate(encode(chunks)):
        yield f"{key}/{number}", packed
    yield f"{key}/.zarray", _json(_meta(dtype, n_rows, chunk_rows))


def _meta(dtype: np.dtype[Any], n_rows: int, chunk_rows: int) -> dict[str, Any]:
    return {
        "chunks": [chunk_rows],
        "compressor": _COMPRESSOR,
        "dtype": _descr(dtype),
        "fill_value": base64.b64encode(bytes(_packed(dtype).itemsize)).decode("ascii"),
        "filters": None,
        "order": "C",
        "shape": [n_rows],
        "zarr_format": 2,
    }


def _descr(dtype: np.dtype[Any]) -> Any:
    """Return a dtype in the form that ``.zarray`` has it."""
    if dtype.names is None:
        return dtype.str
    found = []
    for name in dtype.names:
        base, shape = dtype[name].subdtype or (dtype[name], ())
        found.append([name, _descr(base), list(shape)] if shape else [name, _descr(base)])
    return found


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype without the gaps that the format cannot express."""
    if dtype.names is None:
        return dtype
    found: list[Any] = []
    for name in dtype.names:
        base, shape = dtype[name].subdtype or (dtype[name], ())
        found.append((name, _packed(base), shape) if shape else (name, _packed(base)))
    return np.dtype(found)


def _chunks(
    dtype: np.dtype[Any], n_rows: int, chunk_rows: int, blocks: Iterator[Array]
) -> Iterator[Array]:
    """Yield records in chunks of equal length, the last one filled up with zeros."""
    packed = _packed(dtype)
    chunk, used, total = np.zeros(chunk_rows, packed), 0, 0
    for block in blocks:
        if block.dtype != dtype:
            raise ValueError(f"a block is of {block.dtype}, {dtype} was promised")
        start, total = 0, total + len(block)
        while start < len(block):
            count = min(chunk_rows - used, len(block) - start)
            chunk[used : used + count] = block[start : start + count]
            start, used = start + count, used + count
            if used == chunk_rows:
                yield chunk
                chunk, used = np.zeros(chunk_rows, packed), 0
    if used:
        yield chunk
    if total != n_rows:
        raise ValueError(f"the blocks hold {total} records, {n_rows} were promised")


def encode(chunks: Iterable[Array]) -> Iterator[bytes]:
    """Yield chunks packed as Imspector packs them, in order.

    Notes
    -----
    In the main thread blosc packs with several threads and writes its blocks in the order in which
    they finish, so that equal data give other bytes every time. In any other thread it does not.
    """
    codec = Blosc("lz4", clevel=5, shuffle=Blosc.SHUFFLE, blocksize=0)
    waiting: list[Future[bytes]] = []
    with ThreadPoolExecutor(2) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(codec.encode, chunk))
            if len(waiting) >= _AHEAD:
                yield bytes(waiting.pop(0).result())
        while waiting:
            yield bytes(waiting.pop(0).result())


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=4, sort_keys=True).encode("utf-8")
