"""Dictionaries of arrays as NumPy's own pickled .npy file, written without pickling anything.

Tools of others exchange such files; we write them, and never read them. What is written are the few
instructions of the pickle language that rebuild dictionaries, text, numbers and arrays, so nothing
else can get in, arrays are not copied, and NumPy 1 reads them as well as NumPy 2, which by itself
would name modules that NumPy 1 does not have.

References
----------
Python documentation, ``pickletools``; NEP 1 for the head of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

__all__ = ["write_pickled_npy"]

_PROTOCOL = b"\x80\x04"
_DICT, _MARK, _SET_ITEMS, _STOP = b"}", b"(", b"u", b"."
_TUPLE, _EMPTY_TUPLE, _REDUCE, _BUILD = b"t", b")", b"R", b"b"
_TRUE, _FALSE, _NONE = b"\x88", b"\x89", b"N"
_KINDS = "biuf"


def write_pickled_npy(file: BinaryIO, values: Mapping[str, Any]) -> None:
    """Write what ``numpy.load(..., allow_pickle=True).item()`` gives back.

    Parameters
    ----------
    file
        Where to.
    values
        Texts to arrays of numbers, floats, or further such mappings.

    Raises
    ------
    ValueError
        If there is anything else in it.
    """
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    file.write(_PROTOCOL)
    # the value of an array without dimensions is pickled as an array of one object
    file.write(_empty_array() + _MARK + _integer(1) + _EMPTY_TUPLE)
    file.write(_dtype("O8", "|", 63) + _FALSE + b"]")
    _mapping(file, values)
    file.write(b"a" + _TUPLE + _BUILD + _STOP)


def _mapping(file: BinaryIO, values: Mapping[str, Any]) -> None:
    file.write(_DICT + _MARK)
    for key, value in values.items():
        if not isinstance(key, str):
            raise ValueError(f"{key!r} is no text, and keys must be")
        file.write(_text(key))
        if isinstance(value, Mapping):
            _mapping(file, value)
        elif isinstance(value, np.ndarray):
            _array(file, value, key)
        elif isinstance(value, float):
            file.write(b"G" + struct.pack(">d", value))
        else:
            raise ValueError(f"{key} is a {type(value).__name__}, not an array or a number")
    file.write(_SET_ITEMS)


def _array(file: BinaryIO, values: np.ndarray[Any, Any], name: str) -> None:
    if values.dtype.kind not in _KINDS or values.ndim > 3:
        raise ValueError(f"{name} of type {values.dtype} and {values.ndim} axes is not written")
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    kind = plain.dtype.str[1:]
    order = "|" if plain.dtype.itemsize == 1 else "<"
    shape = _MARK + b"".join(_integer(size) for size in values.shape) + _TUPLE
    file.write(_empty_array() + _MARK + _integer(1) + shape)
    file.write(_dtype(kind, order, 0) + _FALSE)
    file.write(b"\x8e" + struct.pack("<Q", plain.nbytes))
    file.write(plain.reshape(-1).view(np.uint8).data)
    file.write(_TUPLE + _BUILD)


def _empty_array() -> bytes:
    """Return what makes an array without values, to be filled."""
    make = _global("numpy.core.multiarray", "_reconstruct")
    size = _MARK + _integer(0) + _TUPLE
    return make + _MARK + _global("numpy", "ndarray") + size + _bytes(b"b") + _TUPLE + _REDUCE


def _dtype(kind: str, order: str, flags: int) -> bytes:
    made = _global("numpy", "dtype") + _MARK + _text(kind) + _FALSE + _TRUE + _TUPLE + _REDUCE
    state = _integer(3) + _text(order) + _NONE * 3 + _integer(-1) * 2 + _integer(flags)
    return made + _MARK + state + _TUPLE + _BUILD


def _global(module: str, name: str) -> bytes:
    return _text(module) + _text(name) + b"\x93"


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _bytes(value: bytes) -> bytes:
    return b"C" + bytes([len(value)]) + value


def _integer(value: int) -> bytes:
    raw = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw
