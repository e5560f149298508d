"""Files made by hand to do harm; every maker returns the path and the arguments to open it.

None of them may open: each must end in a DataError.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.formats.msr.obf_files import Stack, archive, obf_bytes
from tests.fuzz.corpus import sample_file
from tests.fuzz.hostile_hdf5 import HDF5
from tests.fuzz.hostile_npy import NPY
from tests.fuzz.hostile_zarr import KEYS, ZARR, packed_zip, plain, stack_of
from tests.fuzz.traps import BIG, Made, Maker, npy, npy_header, pickled, zlib_bomb

__all__ = ["HOSTILE"]


_COLUMN = npy_header("'<f8'", "(4,)")
_ROWS = BIG // 24


def _npz(member: Callable[[Path], bytes]) -> Maker:
    def make(place: Path) -> Made:
        with zipfile.ZipFile(place / "run.npz", "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in _columns(member(place)).items():
                file.writestr(name, content)
        return place / "run.npz", {"units": "nm"}

    return make


def _columns(ids: bytes) -> dict[str, bytes]:
    column = npy(_COLUMN, bytes(32))
    return {"X.npy": column, "Y.npy": column, "TID.npy": ids}


def _npz_bomb(place: Path) -> Made:
    members = _columns(b"")
    del members["TID.npy"]
    return packed_zip(place, members, "TID.npy", (npy(_COLUMN), b"\0", b"")), {"units": "nm"}


def _mat_bomb(place: Path) -> Made:
    head = b"MATLAB 5.0 MAT-file".ljust(124, b" ") + b"\x00\x01IM"
    variables = b"".join(_packed_variable(name) for name in (b"tid", b"tim", b"itr", b"loc"))
    (place / "run.mat").write_bytes(head + variables)
    return place / "run.mat", {}


def _packed_variable(name: bytes) -> bytes:
    width = 3 if name == b"loc" else 1
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    flags += struct.pack("<IIii", 5, 8, _ROWS, width)
    n_bytes = 8 * _ROWS * width
    inner = flags + struct.pack("<HH4s", 1, 3, name) + struct.pack("<II", 9, n_bytes)
    packed = zlib_bomb(struct.pack("<II", 14, len(inner) + n_bytes) + inner)
    return struct.pack("<II", 15, len(packed)) + packed


def _json(text: bytes) -> Maker:
    def make(place: Path) -> Made:
        (place / "run.json").write_bytes(text)
        return place / "run.json", {}

    return make


def _json_record(value: bytes) -> Maker:
    def make(place: Path) -> Made:
        raw = sample_file("json v2")[1]
        raw = raw.replace(b'"tid"', b'"extra":1,"tid"')
        at = raw.index(b'1,"tid"', len(raw) // 2)
        (place / "run.json").write_bytes(raw[:at] + value + raw[at + 1 :])
        return place / "run.json", {}

    return make


_REST: dict[str, Maker] = {
    "npz pickle": _npz(lambda place: npy(npy_header("'|O'", "(4,)"), pickled(place))),
    "npz 26 TB": _npz(lambda place: npy(npy_header("'<f8'", "(3250000000000,)"), bytes(32))),
    "npz bomb": _npz_bomb,
    "mat bomb": _mat_bomb,
    **{
        f"json depth {depth} of {opening!r}": _json(opening * depth + closing * depth)
        for depth in (1000, 100_000)
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"))
    },
    **{
        f"json depth {depth} in a record": _json_record(b"[" * depth + b"1" + b"]" * depth)
        for depth in (1000, 100_000)
    },
    "json open brackets": _json(b"[" * 10**6),
    "json duplicate keys": _json_record(b'1,"extra":2'),
    "json long integer": _json_record(b"9" * 5000),
    "json long fraction": _json_record(b"0." + b"9" * 10**6 + b"x"),
    "json string without an end": _json_record(b'"' + b"a" * 10**6),
    "json numbers without an end": _json(b"[" + b"1," * 10**6),
}


def _obf(stacks: Callable[[], list[Stack]]) -> Maker:
    def make(place: Path) -> Made:
        (place / "run.msr").write_bytes(obf_bytes(stacks()))
        return place / "run.msr", {}

    return make


def _msr_bomb(place: Path) -> Made:
    """Write attributes that are a bomb into the compressed stack of a data set."""
    key = b"zarr/mfx/.zattrs"
    keys: dict[str, bytes | None] = {"zarr": None, "zarr/mfx": None}
    keys.update({f"zarr/{name}": value for name, value in plain().items()})
    begin = archive(keys, end=b"") + struct.pack("<Q", len(key)) + key
    begin += struct.pack("<BQ", 0, BIG)
    stack = stack_of(plain(), compression=1, shape=(len(begin) + BIG,))
    stack.data = zlib_bomb(begin)
    (place / "run.msr").write_bytes(obf_bytes([stack]))
    return place / "run.msr", {}


_FIRST = 34
_OBF: dict[str, Maker] = {
    "msr stack that is its own next": _obf(lambda: [stack_of(plain(), next=_FIRST)]),
    "msr stacks in a circle": _obf(lambda: [stack_of(plain()), stack_of(plain(), next=_FIRST)]),
    "msr next within the first": _obf(lambda: [stack_of(plain(), next=_FIRST + 8)]),
    "msr next beyond the end": _obf(lambda: [stack_of(plain(), next=2**62)]),
    "msr next negative": _obf(lambda: [stack_of(plain(), next=2**64 - 8)]),
    "msr stored beyond the end": _obf(lambda: [stack_of(plain(), stored=2**62)]),
    "msr samples beyond the end": _obf(lambda: [stack_of(plain(), shape=(2**31, 2**31))]),
    "msr many chunks": _obf(lambda: [stack_of(plain(), chunks=((0, 2**60),) * 50)]),
    "msr flush points backwards": _obf(
        lambda: [stack_of(plain(), compression=1, flush=(100, 50, 10), block=64)]
    ),
    "msr packed bomb": _msr_bomb,
}

HOSTILE: dict[str, Maker] = {**NPY, **ZARR, **KEYS, **_REST, **_OBF, **HDF5}
