"""Zarr archives in folders, zip archives and msr files that do harm when they are read."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.formats.msr.obf_files import Stack, archive, obf_bytes
from tests.fuzz.traps import ABSOLUTE, V2, Made, Maker, deflated, pickled, secret_file, zlib_bomb

__all__ = ["KEYS", "ZARR", "packed_zip", "plain", "stack_of"]

Keys = dict[str, bytes]


def _meta(**changes: Any) -> bytes:
    meta = {
        "zarr_format": 2,
        "shape": [4],
        "chunks": [4],
        "dtype": [list(field) for field in V2],
        "compressor": None,
        "filters": None,
        "fill_value": None,
        "order": "C",
    }
    return json.dumps({**meta, **changes}).encode()


def _records(n: int = 4) -> bytes:
    rows = np.zeros(n, np.dtype(V2))
    rows["vld"] = rows["fnl"] = True
    rows["tid"] = np.arange(n)
    return rows.tobytes()


def plain() -> Keys:
    """Return a small valid Zarr archive."""
    return {".zgroup": b'{"zarr_format": 2}', "mfx/.zarray": _meta(), "mfx/0": _records()}


def folder_of(place: Path, keys: Keys) -> Path:
    for key, value in keys.items():
        path = place / "run" / "zarr" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)
    return place / "run"


def zip_of(place: Path, keys: Keys) -> Path:
    with zipfile.ZipFile(place / "run.zip", "w") as file:
        for key, value in keys.items():
            file.writestr(zipfile.ZipInfo(key, (2024, 1, 1, 12, 0, 0)), value)
    return place / "run.zip"


def packed_zip(place: Path, keys: Keys, key: str, content: tuple[bytes, bytes, bytes]) -> Path:
    """Write a zip archive with an entry of much of one letter, see `traps.deflated`."""
    packed, crc, _, size = deflated(*content)
    path = zip_of(place, {**keys, key: packed})
    raw = bytearray(path.read_bytes())
    local, central = raw.index(key.encode()) - 30, raw.rindex(key.encode()) - 46
    for at, method, sums in ((local, 8, 14), (central, 10, 16)):
        struct.pack_into("<H", raw, at + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<III", raw, at + sums, crc, len(packed), size)
    path.write_bytes(raw)
    return path


def msr_of(place: Path, keys: Keys, **settings: Any) -> Path:
    (place / "run.msr").write_bytes(obf_bytes([stack_of(keys, **settings)]))
    return place / "run.msr"


def stack_of(keys: Keys, **settings: Any) -> Stack:
    """Return a stack of an msr file that holds a Zarr archive."""
    entries: dict[str, bytes | None] = {"zarr": None, "zarr/mfx": None}
    entries.update({f"zarr/{key}": value for key, value in keys.items()})
    tag = json.dumps({"did": "a", "sid": "a", "aid": "", "label": "P1", "type": "data"})
    return Stack(data=archive(entries), tags={b"minflux": tag.encode()}, **settings)


def _everywhere(name: str, keys: Callable[[Path], Keys]) -> dict[str, Maker]:
    holders = {"folder": folder_of, "zip": zip_of, "msr": msr_of}

    def maker(hold: Callable[[Path, Keys], Path]) -> Maker:
        return lambda place: (hold(place, keys(place)), {})

    return {f"zarr {name} in a {kind}": maker(hold) for kind, hold in holders.items()}


def _with_meta(**changes: Any) -> Callable[[Path], Keys]:
    return lambda place: {**plain(), "mfx/.zarray": _meta(**changes), "mfx/0": pickled(place)}


_DEEP = b'{"a":' * 10**5 + b"1" + b"}" * 10**5
_BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
# version, flags, item size, claimed bytes, block size, packed bytes
_BLOSC_BOMB = struct.pack("<BBBBIII", 2, 1, 1, 8, 2**31 - 17, 2**31 - 17, 64) + bytes(48)


def _chunk(value: bytes, **changes: Any) -> Callable[[Path], Keys]:
    return lambda place: {**plain(), "mfx/.zarray": _meta(**changes), "mfx/0": value}


def _zlib_bomb(place: Path) -> Keys:
    return _chunk(zlib_bomb(), compressor={"id": "zlib"})(place)


def _other(key: str, value: bytes) -> Callable[[Path], Keys]:
    return lambda place: {**plain(), key: value}


ZARR: dict[str, Maker] = {
    **_everywhere("object", _with_meta(dtype="|O", filters=[{"id": "pickle"}])),
    **_everywhere("object field", _with_meta(dtype=[["itr", "|O"], ["tid", "<i4"]])),
    **_everywhere("pickle filter", _with_meta(filters=[{"id": "pickle"}])),
    **_everywhere("pickle compressor", _with_meta(compressor={"id": "pickle"})),
    **_everywhere("26 TB", _with_meta(shape=[26 * 10**12], chunks=[26 * 10**12])),
    **_everywhere("26 TB in chunks", _with_meta(shape=[26 * 10**12])),
    **_everywhere("many chunks", _with_meta(shape=[2**40], chunks=[1])),
    **_everywhere("no chunks", _with_meta(chunks=[0])),
    **_everywhere("negative", _with_meta(shape=[-4])),
    **_everywhere("true", _with_meta(shape=[True])),
    **_everywhere("blosc bomb", _chunk(_BLOSC_BOMB, compressor=_BLOSC)),
    **_everywhere("zlib bomb", _zlib_bomb),
    **_everywhere("deep metadata", _other("mfx/.zarray", b"[" * 1000 + b"]" * 1000)),
    **_everywhere(
        "deeper attributes", _other("mfx/.zattrs", b'{"a":' * 10**5 + b"1" + b"}" * 10**5)
    ),
    **_everywhere("duplicate keys", _other(".zattrs", b'{"a": 1, "a": 2}')),
    **_everywhere("long integer", _other(".zattrs", b'{"a": ' + b"9" * 5000 + b"}")),
}


def _bad_key(key: str) -> dict[str, Maker]:
    keys = {**plain(), key: b"evil"}
    return {
        f"zip key {key!r}": lambda place: (zip_of(place, keys), {}),
        f"msr key {key!r}": lambda place: (msr_of(place, keys), {}),
    }


def _zip_bomb(place: Path) -> Made:
    return packed_zip(place, plain(), "mfx/.zattrs", (b"{", b" ", b"}")), {}


def _linked(key: str) -> Maker:
    def make(place: Path) -> Made:
        root = folder_of(place, plain())
        path = root / "zarr" / key
        if path.is_dir():
            path.rename(place / "elsewhere")
            path.symlink_to(place / "elsewhere")
        else:
            path.unlink(missing_ok=True)
            path.symlink_to(secret_file(place))
        return root, {}

    return make


def _fifo(place: Path) -> Made:
    root = folder_of(place, plain())
    (root / "zarr" / "mfx" / "0").unlink()
    os.mkfifo(root / "zarr" / "mfx" / "0")
    return root, {}


KEYS: dict[str, Maker] = {
    "zip bomb in the attributes": _zip_bomb,
    "zarr chunk is a link": _linked("mfx/0"),
    "zarr metadata is a link": _linked("mfx/.zarray"),
    "zarr attributes are a link": _linked("mfx/.zattrs"),
    "zarr folder is a link": _linked("mfx"),
    "zarr chunk is a pipe": _fifo,
}
for _key in ("../evil", "mfx/../../evil", ABSOLUTE, "C:\\evil", "mfx\\..\\..\\evil", "mfx/./0"):
    KEYS.update(_bad_key(_key))
