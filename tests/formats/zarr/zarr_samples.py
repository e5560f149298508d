"""Small MINFLUX archives written by hand: json and numcodecs only, nothing of the package."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numcodecs import Blosc, GZip

from mfxarray.formats.sources import FileSource

__all__ = [
    "FLAT",
    "POINT",
    "DictKeys",
    "archive",
    "array_entries",
    "flat_rows",
    "save_folder",
    "store",
]

FLAT = np.dtype(
    [("vld", "?"), ("tim", "<f8"), ("tid", "<u4"), ("itr", "<i4"), ("loc", "<f8", (3,))]
)
POINT = np.dtype([("gri", "<u4"), ("xyz", "<f8", (3,)), ("tim", "<f4"), ("str", "<f4")])
PACK = {
    "blosc": lambda raw, size: Blosc("lz4", 5, 1).encode(np.frombuffer(raw, f"V{size}")),
    "zlib": lambda raw, size: zlib.compress(raw),
    "gzip": lambda raw, size: GZip(1).encode(raw),
    None: lambda raw, size: raw,
}


SOURCE = FileSource("memory", 1, 1)


@dataclass(frozen=True)
class DictKeys:
    """A store of keys in memory, for what needs no file."""

    values: tuple[tuple[str, bytes], ...]
    source: FileSource = SOURCE

    def identity(self):
        return repr(hash(self.values))

    def keys(self):
        return tuple(key for key, _ in self.values)

    def size(self, key):
        found = dict(self.values).get(key)
        return None if found is None else len(found)

    def read(self, key, start=0, stop=None):
        return dict(self.values)[key][start:stop]


def flat_rows(n=250, dtype=FLAT, seed=1):
    """Return records of random bytes that are valid in every field."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, dtype)
    for name in dtype.names:
        base, shape = dtype[name].subdtype or (dtype[name], ())
        rows[name] = rng.integers(0, 2 if base.kind == "b" else 100, (n, *shape))
    rows["tim"] = np.arange(n) * 0.25
    return rows


def descr(dtype):
    if dtype.names is None:
        return dtype.str
    found = []
    for name in dtype.names:
        base, shape = dtype[name].subdtype or (dtype[name], ())
        found.append([name, descr(base), *([list(shape)] if shape else [])])
    return found


def array_entries(key, rows, chunk, codec="blosc", attrs=None, **changes):
    """Return the keys of one array; ``changes`` replace entries of its .zarray."""
    meta = {
        "chunks": [chunk],
        "compressor": codec and {"id": codec},
        "dtype": descr(rows.dtype),
        "fill_value": base64.b64encode(bytes(rows.dtype.itemsize)).decode(),
        "filters": None,
        "order": "C",
        "shape": [len(rows)],
        "zarr_format": 2,
        **changes,
    }
    found = {f"{key}/.zarray": json.dumps(meta).encode()}
    if attrs is not None:
        found[f"{key}/.zattrs"] = json.dumps(attrs).encode()
    for number, start in enumerate(range(0, len(rows), chunk)):
        full = np.zeros(chunk, rows.dtype)
        part = rows[start : start + chunk]
        full[: len(part)] = part
        found[f"{key}/{number}"] = PACK[codec](full.tobytes(), rows.dtype.itemsize)
    return found


def archive(rows=None, chunk=100, codec="blosc", attrs=None, **changes):
    """Return an archive as a dict of keys."""
    rows = flat_rows() if rows is None else rows
    group = json.dumps({"zarr_format": 2}).encode()
    return {".zgroup": group, **array_entries("mfx", rows, chunk, codec, attrs, **changes)}


def save_folder(folder: Path, entries: dict[str, bytes]) -> Path:
    """Write keys as files below a folder."""
    for key, value in entries.items():
        place = folder / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(value)
    return folder


def store(entries):
    """Return keys in memory."""
    return DictKeys(tuple(entries.items()))
