"""A compressed array of records in an npz archive, as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.formats.npy.npz_members import NpzMember
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Path, Piece

__all__ = ["RecordStream"]

_BLOCK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class RecordStream:
    """Records that are inflated from front to back; see `tables.Stream`."""

    member: NpzMember

    @property
    def dtype(self) -> np.dtype[Any]:
        """Record as stored."""
        return self.member.dtype

    @property
    def n_rows(self) -> int:
        """Number of records."""
        return self.member.n_rows

    @property
    def source(self) -> FileSource:
        """The archive."""
        return self.member.file

    def identity(self) -> str:
        """Return path, size, time and layout as text."""
        return repr(self)

    def pieces(self) -> Iterator[tuple[float, Piece]]:
        """Yield all fields of 4 MB of records after each other."""
        start = 0
        for rows in self.member.blocks(max(1, _BLOCK_BYTES // self.dtype.itemsize)):
            for path, values in _leaves(rows, ()):
                yield start / self.n_rows, Piece(path, start, values)
            start += len(rows)


def _leaves(rows: np.ndarray[Any, Any], above: Path) -> Iterator[tuple[Path, np.ndarray[Any, Any]]]:
    for name in rows.dtype.names or ():
        if rows[name].dtype.names is None:
            yield (*above, name), rows[name]
        else:
            yield from _leaves(rows[name], (*above, name))
