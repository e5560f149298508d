"""Seeded damage to the bytes of a file, or of one file of a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

__all__ = ["damaged_copy", "flipped", "spoil", "truncated"]

# headers and directories lie at the ends of files
_ENDS = 2048
_LIES = (
    b"\xff" * 8,
    b"\x00" * 8,
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    (2**40).to_bytes(8, "little"),
    b"..//",
    b"|O",
)


def truncated(raw: bytes, share: float) -> bytes:
    """Return the first part of the bytes."""
    return raw[: int(len(raw) * share)]


def flipped(raw: bytes, seed: int) -> bytes:
    """Return the bytes with one to three places damaged; half of them near the ends."""
    numbers = np.random.default_rng(seed)
    found = bytearray(raw)
    for _ in range(int(numbers.choice([1, 1, 1, 2, 3]))):
        if found:
            _hit(found, numbers)
    return bytes(found)


def _hit(raw: bytearray, numbers: np.random.Generator) -> None:
    at = _place(len(raw), numbers)
    kind = numbers.integers(10)
    if kind < 5:
        raw[at] ^= 1 << int(numbers.integers(8))
    elif kind < 7:
        count = min(int(numbers.integers(2, 33)), len(raw) - at)
        raw[at : at + count] = numbers.bytes(count)
    elif kind < 8:
        lie = _LIES[int(numbers.integers(len(_LIES)))]
        count = min(len(lie), len(raw) - at)
        raw[at : at + count] = lie[:count]
    elif kind < 9:
        _splice(raw, at, numbers)
    else:
        digits = [place for place, byte in enumerate(raw[:_ENDS]) if 48 <= byte < 58]
        if digits:
            raw[digits[int(numbers.integers(len(digits)))]] = int(numbers.integers(48, 58))


def _place(size: int, numbers: np.random.Generator) -> int:
    ends = min(size, _ENDS)
    where = numbers.integers(4)
    if where == 0:
        return int(numbers.integers(ends))
    if where == 1:
        return size - 1 - int(numbers.integers(ends))
    return int(numbers.integers(size))


def _splice(raw: bytearray, at: int, numbers: np.random.Generator) -> None:
    """Copy, insert or remove a piece."""
    count = int(numbers.integers(1, 65))
    other = int(numbers.integers(len(raw)))
    piece = bytes(raw[other : other + count])
    kind = numbers.integers(3)
    if kind == 0:
        raw[at : at + len(piece)] = piece
    elif kind == 1:
        raw[at:at] = piece
    else:
        del raw[at : at + count]


def spoil(raw: bytes, kind: str, number: int, of: int) -> bytes:
    """Return the bytes damaged by case ``number`` of a kind, "cut" or "flip"."""
    return truncated(raw, number / of) if kind == "cut" else flipped(raw, number)


def damaged_copy(valid: Path, target: Path, kind: str, number: int, of: int) -> str:
    """Write a damaged copy of a file or folder; return which file of it was damaged.

    In a folder the cases take its files in turn.
    """
    if valid.is_file():
        target.write_bytes(spoil(valid.read_bytes(), kind, number, of))
        return valid.name
    shutil.copytree(valid, target, dirs_exist_ok=True)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    chosen = files[number % len(files)]
    chosen.write_bytes(spoil(chosen.read_bytes(), kind, number, of))
    return str(chosen.relative_to(target))
