"""The bytes of a .vtu file of points: a head that names arrays, then their values one by one.

References
----------
VTK File Formats (Kitware): XML file formats, unstructured grid, appended raw data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

__all__ = ["PointArray", "PointFile"]

_TYPES = {"b": "UInt", "u": "UInt", "i": "Int", "f": "Float"}
_COUNT_BYTES = 8
_TAIL = b"\n</AppendedData>\n</VTKFile>\n"


@dataclass(frozen=True)
class PointArray:
    """One array of values at the points.

    Attributes
    ----------
    name
        Its name.
    dtype
        In the file, little-endian.
    width
        Values a point.
    """

    name: str
    dtype: np.dtype[Any]
    width: int = 1

    @property
    def point_bytes(self) -> int:
        """Bytes of one point."""
        return self.dtype.itemsize * self.width

    def xml(self, place: int) -> str:
        """Return the element that announces it."""
        kind = f"{_TYPES[self.dtype.kind]}{8 * self.dtype.itemsize}"
        width = f' NumberOfComponents="{self.width}"' if self.width > 1 else ""
        name = quoteattr(self.name)
        return f'<DataArray type="{kind}" Name={name}{width} format="appended" offset="{place}"/>\n'


@dataclass(frozen=True)
class PointFile:
    """Where everything lies in a file of ``n_points`` points, each a cell of its own.

    Attributes
    ----------
    n_points
        Number of points.
    arrays
        Positions first, then what is known at each point.
    facts
        Numbers that belong to the whole file, by name.
    """

    n_points: int
    arrays: tuple[PointArray, ...]
    facts: tuple[tuple[str, float], ...] = ()

    @property
    def all_arrays(self) -> tuple[PointArray, ...]:
        """All arrays in the order of the file: the cells come after the positions."""
        cells = (
            PointArray("connectivity", np.dtype("<i8")),
            PointArray("offsets", np.dtype("<i8")),
            PointArray("types", np.dtype("u1")),
        )
        return (self.arrays[0], *cells, *self.arrays[1:])

    def head(self) -> bytes:
        """Return what stands before the values."""
        arrays, places = self.all_arrays, self._offsets()
        told = [array.xml(place) for array, place in zip(arrays, places, strict=False)]
        facts = "".join(_fact(name, value) for name, value in self.facts)
        count = f'NumberOfPoints="{self.n_points}" NumberOfCells="{self.n_points}"'
        return (
            '<?xml version="1.0"?>\n'
            '<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" '
            'header_type="UInt64">\n<UnstructuredGrid>\n'
            f"<FieldData>\n{facts}</FieldData>\n"
            f"<Piece {count}>\n<Points>\n{told[0]}</Points>\n"
            f"<Cells>\n{''.join(told[1:4])}</Cells>\n"
            f"<PointData>\n{''.join(told[4:])}</PointData>\n"
            '</Piece>\n</UnstructuredGrid>\n<AppendedData encoding="raw">\n_'
        ).encode()

    def _offsets(self) -> list[int]:
        """Return where each array begins after the underscore, and where the last one ends."""
        places = [0]
        for array in self.all_arrays:
            places.append(places[-1] + _COUNT_BYTES + self.n_points * array.point_bytes)
        return places

    def create(self, path: str) -> None:
        """Make a file that is complete but for the values, which are zeros."""
        head = self.head()
        with open(path, "xb") as file:
            file.write(head)
            for array, place in zip(self.all_arrays, self._offsets(), strict=False):
                file.seek(len(head) + place)
                file.write((self.n_points * array.point_bytes).to_bytes(_COUNT_BYTES, "little"))
            file.seek(len(head) + self._offsets()[-1])
            file.write(_TAIL)

    def write(self, path: str, first: int, values: Sequence[np.ndarray[Any, Any]]) -> None:
        """Write the points from ``first`` on, one array of values each for ``arrays``."""
        count = len(values[0])
        numbers = np.arange(first, first + count, dtype="<i8")
        cells = (numbers, numbers + 1, np.ones(count, "u1"))
        begin = len(self.head()) + _COUNT_BYTES
        # r+: a task that outlives a failed write must not make a new file
        with open(path, "r+b") as file:
            for array, place, part in zip(
                self.all_arrays, self._offsets(), (values[0], *cells, *values[1:]), strict=False
            ):
                file.seek(begin + place + first * array.point_bytes)
                file.write(np.ascontiguousarray(part, array.dtype).tobytes())


def _fact(name: str, value: float) -> str:
    return (
        f'<DataArray type="Float64" Name={quoteattr(name)} NumberOfTuples="1" format="ascii">'
        f"{value!r}</DataArray>\n"
    )
