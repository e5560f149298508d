"""Sorted columns that wait between two steps of a graph, in memory or in files of a scratch folder.

A step that needs points by place, and a step that gives results back by row, both ask for a range
of a sorted key. What is too large to wait in memory waits in files; both kinds answer alike.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np

from mfxarray.errors import DataError

__all__ = ["Scratch", "Sorted", "gather", "keep_sorted"]

Array = np.ndarray[Any, Any]

# one key in so many is kept in memory, to find a range in a file and to know their spread
_STEP = 1024
_LEAST_MARKS = 64


class Sorted(Protocol):
    """Records of a structured dtype, sorted by one of their fields."""

    @property
    def marks(self) -> Array:
        """The first key and one in so many after it."""

    def between(self, low: Any, high: Any) -> Array:
        """Return the records with ``low <= key < high``."""


@dataclass(frozen=True)
class _InMemory:
    records: Array
    key: str
    marks: Array

    def between(self, low: Any, high: Any) -> Array:
        start, stop = np.searchsorted(self.records[self.key], [low, high])
        return self.records[start:stop]


@dataclass(frozen=True)
class _InFile:
    path: str
    key: str
    dtype: np.dtype[Any]
    length: int
    step: int
    marks: Array

    def between(self, low: Any, high: Any) -> Array:
        # equal keys may begin before their mark
        start = max(int(np.searchsorted(self.marks, low, "left")) - 1, 0) * self.step
        stop = min(int(np.searchsorted(self.marks, high, "left")) * self.step, self.length)
        if start >= stop:
            return np.empty(0, self.dtype)
        records = self._read(start, stop - start)
        first, last = np.searchsorted(records[self.key], [low, high])
        return records[first:last]

    def _read(self, start: int, count: int) -> Array:
        try:
            found = np.fromfile(self.path, self.dtype, count, offset=start * self.dtype.itemsize)
        except OSError as error:
            raise _lost(self.path, str(error)) from error
        if len(found) != count:
            raise _lost(self.path, f"{len(found)} of {count} records from record {start} are there")
        return found


def _lost(path: str, found: str) -> DataError:
    hint = "All workers must see the scratch folder; see mfxarray.set_options(scratch_folder=...)."
    return DataError(f"a scratch file cannot be read: {found}", path=path, hint=hint)


class Scratch:
    """A folder that is made when first written to, and removed with the object that owns it.

    Notes
    -----
    Copies that travel to other processes name the same folder and never remove it. A process that
    is killed leaves the folder behind; its name begins with "mfxarray-scratch-".
    """

    def __init__(self, parent: str | None) -> None:
        name = f"mfxarray-scratch-{uuid4().hex}"
        self.path = os.path.join(parent or tempfile.gettempdir(), name)
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return _same_folder, (self.path,)

    def __dask_tokenize__(self) -> str:
        return "mfxarray-scratch"


def _same_folder(path: str) -> Scratch:
    copy = object.__new__(Scratch)
    copy.path = path
    return copy


def keep_sorted(records: Array, key: str, scratch: Scratch | None, name: str) -> Sorted:
    """Keep records that are sorted by ``key``: in memory, or in the file ``name`` of a folder.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    step = min(max(len(records) // _LEAST_MARKS, 1), _STEP)
    marks = records[key][::step].copy()
    if scratch is None:
        return _InMemory(records, key, marks)
    target = Path(scratch.path, name)
    temporary = target.with_name(f"{name}-{uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        records.tofile(temporary)
        # a task that runs twice puts the same content there, in one step
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        hint = "Free some space or choose another with mfxarray.set_options(scratch_folder=...)."
        raise DataError(f"cannot be written: {error}", path=target, hint=hint) from error
    return _InFile(str(target), key, records.dtype, len(records), step, marks)


def gather(parts: Sequence[Sorted], low: Any, high: Any) -> Array:
    """Return the records of all parts with ``low <= key < high``, one part after the other."""
    return np.concatenate([part.between(low, high) for part in parts])
