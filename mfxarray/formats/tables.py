"""What every container of localizations gives: tables of records that are read by ranges of rows.

A container is one of two kinds. Where rows can be reached, it gives a `Table`. Where the bytes must
be read from front to back (JSON, text, compressed variables), it gives a `Stream`, which is copied
once into a columnar cache that is a `Table` again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

import numpy as np

from mfxarray.formats.sources import FileSource

__all__ = ["BeadTrack", "Beads", "Measurement", "Path", "Piece", "Stream", "Table"]
__all__ += ["is_stream", "leaf_dtype"]

Array = np.ndarray[Any, Any]
Path = tuple[str, ...]


class Table(Protocol):
    """Equal records that are read by ranges of rows. Frozen, small, holds no open handle.

    Attributes
    ----------
    dtype
        Structured dtype of a record: nested (``itr`` is a compound of shape (K,)) or flat.
    n_rows
        Number of records.
    grain
        Rows that are stored, and as a rule compressed, together: reading one costs reading all.
        1 where any row is read for itself.
    columnar
        Whether fields lie apart, so that `column` reads only its own bytes.
    """

    @property
    def dtype(self) -> np.dtype[Any]:
        """Structured dtype of a record, nested or flat."""

    @property
    def n_rows(self) -> int:
        """Number of records."""

    @property
    def grain(self) -> int:
        """Rows that are stored together, so that reading one costs reading all."""

    @property
    def columnar(self) -> bool:
        """Whether fields lie apart, so that reading one of them reads only its own bytes."""

    def identity(self) -> str:
        """Return text that differs whenever what is read would differ; never made from content."""
        ...

    def read(self, start: int, stop: int) -> Array:
        """Return whole records ``start`` to ``stop`` (exclusive), shape (stop - start,)."""
        ...

    def column(self, path: Path, start: int, stop: int) -> Array:
        """Return one field of these records as stored, shape (stop - start, ...)."""
        ...


@dataclass(frozen=True)
class Piece:
    """A part of a stream: values of one field.

    Attributes
    ----------
    path
        Names that lead to the field, such as ("itr", "loc").
    start
        First row.
    values
        Values, shape (n, *rest), in the dtype of the field.
    index
        Where ``values`` lie in the axes after the rows: (2,) is iteration 2, (2, 0) its first
        axis; () when the values cover all of them.
    """

    path: Path
    start: int
    values: Array
    index: tuple[int, ...] = ()


class Stream(Protocol):
    """Records that can only be read from front to back, with bounded memory.

    Attributes
    ----------
    dtype
        Structured dtype of a record, nested or flat.
    n_rows
        Number of records, None where it is not known before all is read.
    source
        The file.
    """

    @property
    def dtype(self) -> np.dtype[Any]:
        """Structured dtype of a record, nested or flat."""

    @property
    def n_rows(self) -> int | None:
        """Number of records; None if it is known only at the end."""

    @property
    def source(self) -> FileSource:
        """The file."""

    def identity(self) -> str:
        """Return text that differs whenever the pieces would differ."""
        ...

    def pieces(self) -> Iterator[tuple[float, Piece]]:
        """Yield the share of the work done (0 to 1) and the next piece.

        For each field and index the rows come in order, without gaps; different fields may come
        one after the other or side by side.
        """
        ...


@dataclass(frozen=True)
class BeadTrack:
    """One bead of the beamline monitor.

    Attributes
    ----------
    name
        Name given by the instrument, such as "R1".
    gri
        Grid index, the key of the bead.
    used
        Whether the bead was chosen for the correction.
    tim
        Times, seconds, shape (n,).
    position
        Positions, metres, shape (n, 3).
    strength
        Signal strength, shape (n,); 0 marks a failed sample.
    """

    name: str
    gri: int
    used: bool
    tim: Array = field(repr=False)
    position: Array = field(repr=False)
    strength: Array = field(repr=False)


class Beads(Protocol):
    """The beads that belong to a measurement."""

    def tracks(self) -> tuple[BeadTrack, ...]:
        """Read all beads; natural order of their names."""
        ...


@dataclass(frozen=True)
class Measurement:
    """One data set of a file, as its container gives it.

    Attributes
    ----------
    rows
        The records.
    source
        The file, or the one file of a folder whose change means a change of the data.
    container
        "npy", "mat v5", "mat v7.3", "json", "zarr", "zarr zip", "msr", "pmx", "npz", "text".
    label
        Name by which a user picks the data set, such as "P1".
    attrs
        JSON-able facts that the container gives: ``did``, ``acquisition_date``, ``rois``,
        ``z_scaling`` (1.0 unless the container has scaled z), ``container_version``.
    sequence
        The attributes of the measurement as stored (``measurement`` of m2410), {} where none.
    beads
        The beads, None where the container holds none.
    missing_rows
        Ranges of rows (start, stop) that a damaged file lost; empty for a whole one.
    warnings
        What a user should hear when the data set is opened.
    """

    rows: Table | Stream
    source: FileSource
    container: str
    label: str = "P1"
    attrs: dict[str, Any] = field(default_factory=dict)
    sequence: dict[str, Any] = field(default_factory=dict)
    beads: Beads | None = None
    missing_rows: tuple[tuple[int, int], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the file, or of the folder whose metadata stand for it."""
        parts = os.path.normpath(self.source.path).split(os.sep)
        if parts[-1] == ".zarray":
            inner = [part for part in parts[:-1] if part not in ("zarr", "mfx")]
            return inner[-1] if inner else parts[-2]
        return parts[-1]

    def describe(self) -> dict[str, Any]:
        """Return the identity of the source that provenance keeps."""
        return {**self.source.describe(), "name": self.name}


def is_stream(rows: Table | Stream) -> TypeGuard[Stream]:
    """Tell whether records can only be read from front to back."""
    return hasattr(rows, "pieces")


def leaf_dtype(dtype: np.dtype[Any], path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return scalar dtype and shape, after the rows, of a field of a structured dtype.

    Examples
    --------
    >>> nested = np.dtype([("itr", [("loc", "<f8", (3,))], (5,)), ("tid", "<i4")])
    >>> leaf_dtype(nested, ("itr", "loc"))
    (dtype('float64'), (5, 3))
    """
    shape: tuple[int, ...] = ()
    here = dtype
    for name in path:
        here, extent = here[name].subdtype or (here[name], ())
        shape += extent
    return here, shape
