"""What a MATLAB file holds, as names and sizes, and the records that were found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfxarray.formats.mat.columns import Column, StoredArray
from mfxarray.formats.npy.fields import ITERATION

__all__ = ["Layout", "MatOther", "MatStruct", "Node"]

# Göttingen's files say so in their README
_GOETTINGEN_Z = 0.7


@dataclass(frozen=True)
class MatOther:
    """A variable that is not read, and what it is."""

    name: str
    kind: str


@dataclass(frozen=True)
class MatStruct:
    """A struct of size 1×1 (or the whole file), with its fields."""

    name: str
    fields: Mapping[str, Node]


Node = StoredArray | MatStruct | MatOther


@dataclass(frozen=True)
class Layout:
    """The records of one data set.

    Attributes
    ----------
    name
        Name of the struct that holds them, "" for the file itself.
    kind
        "v1 nested", "v2 flat" or "Göttingen 2021".
    n_rows
        Number of records.
    columns
        Fields in the order of the records.
    warnings
        What a user should hear.
    """

    name: str
    kind: str
    n_rows: int
    columns: tuple[Column, ...]
    n_iterations: int | None
    warnings: tuple[str, ...] = field(default=())

    @property
    def dtype(self) -> np.dtype[Any]:
        """Structured dtype of a record."""
        inner = [_entry(column) for column in self.columns if len(column.path) == 2]
        outer = [_entry(column) for column in self.columns if len(column.path) == 1]
        if self.n_iterations is None:
            return np.dtype(outer)
        return np.dtype([(ITERATION, inner, (self.n_iterations,)), *outer])

    @property
    def z_scaling(self) -> float:
        """Factor that the container has applied to z."""
        return _GOETTINGEN_Z if self.kind.startswith("G") else 1.0


def _entry(column: Column) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    return column.path[-1], column.dtype, column.tail[len(column.path) - 1 :]
