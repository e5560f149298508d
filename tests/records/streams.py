"""Streams of records that are in memory, cut in the ways in which containers cut theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Piece


@dataclass(frozen=True)
class RowStream:
    """Records given by blocks of rows (as JSON) or column by column (as .mat)."""

    source: FileSource
    rows: np.ndarray = field(repr=False)
    n_rows: int | None = None
    step: int = 1000
    by_column: bool = False
    fails_after: int | None = None
    lost: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.rows.dtype

    def identity(self) -> str:
        return repr(self)

    def pieces(self) -> Iterator[tuple[float, Piece]]:
        fields = list(paths(self.dtype))
        parts = self._columns(fields) if self.by_column else self._blocks(fields)
        for number, piece in enumerate(parts):
            if number == self.fails_after:
                raise DataError("is damaged here", path=self.source.path)
            yield 0.5, piece

    def _blocks(self, fields: list[tuple[str, ...]]) -> Iterator[Piece]:
        for start in range(0, len(self.rows), self.step):
            for path in fields:
                yield Piece(path, start, pick(self.rows[start : start + self.step], path))

    def _columns(self, fields: list[tuple[str, ...]]) -> Iterator[Piece]:
        for path in fields:
            values = pick(self.rows, path)
            count = len(values) - (self.lost if path == fields[-1] else 0)
            for index in np.ndindex(values.shape[1:]):
                for start in range(0, count, self.step):
                    stop = min(start + self.step, count)
                    yield Piece(path, start, values[(slice(start, stop), *index)], index)


def paths(dtype: np.dtype[Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in dtype.names or ():
        if dtype[name].base.names:
            yield from paths(dtype[name].base, (*above, name))
        else:
            yield (*above, name)


def pick(rows: np.ndarray, path: tuple[str, ...]) -> np.ndarray:
    for name in path:
        rows = rows[name]
    return rows


def random_rows(dtype: np.dtype[Any], n: int, seed: int = 0) -> np.ndarray:
    """Return records of random bits: NaN of any payload, infinities, and all integers."""
    rng = np.random.default_rng(seed)
    rows = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype).copy()
    for path in paths(dtype):
        column = pick(rows, path)
        if column.dtype == bool:
            column[...] = column.view("u1") > 127
    return rows


# every kind of number, few columns: each is a file that is flushed to disk
NESTED = np.dtype(
    [
        ("itr", [("itr", "<i4"), ("loc", "<f8", (3,)), ("cfr", "<f2")], (2,)),
        ("tid", "<i8"),
        ("vld", "?"),
        ("far", "<c8"),
    ]
)
FLAT = np.dtype([("vld", "?"), ("tim", "<f8"), ("tid", "<u4"), ("thi", "u1"), ("dcr", "<f2", (2,))])


def nested(n: int) -> np.ndarray:
    return random_rows(NESTED, n)


def flat(n: int) -> np.ndarray:
    return random_rows(FLAT, n)


def measurement(folder: Path, rows: np.ndarray, **settings: Any) -> Measurement:
    path = folder / "run.json"
    if not path.exists():
        path.write_bytes(b"the source " * 20)
    source = FileSource.open(path)
    return Measurement(RowStream(source, rows, **settings), source, "json")
