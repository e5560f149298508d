"""Data of NanoSIMS analyses that are no images: traces of points, one a species.

After the header stand the number of traces, and for each its number of points, the abscissas and
the count rates. Every length is checked against the size of the file.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.im.places import ANALYSIS_KINDS
from mfxarray.formats.im.tree import read_head, tree_of
from mfxarray.formats.sources import FileSource

__all__ = ["Axis", "ImScan", "Trace", "open_scan"]

_IMAGES = (27, 29, 39, 41)
# analyses whose data were met in files, or are read by others
_KNOWN = (21, 25, 26, 31, 35)
_TIME = (21, 26, 35)
_MOST_TRACES = 60  # as many masses as a mask can hold
_HINT = "Its header is readable: mfxarray.read_mims_header(path)."


@dataclass(frozen=True)
class Axis:
    """What the abscissas are: a name, a unit ("" where not known) and a few words."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Trace:
    """Where the points of one species lie: the first byte and their number."""

    offset: int
    points: int


@dataclass(frozen=True)
class ImScan:
    """An opened analysis that is no image.

    Attributes
    ----------
    source
        The pinned file.
    byte_order
        "<" or ">".
    header
        What `im_tree.tree_of` gives.
    axis
        What the abscissas are.
    traces
        One a species, in the order of the mass table; empty where only a definition was saved.
    warnings
        Sentences for the user.
    """

    source: FileSource
    byte_order: str
    header: dict[str, Any]
    axis: Axis
    traces: tuple[Trace, ...]
    warnings: tuple[str, ...]

    def read(self, number: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return abscissas and count rates (1/s) of one trace, float64."""
        trace = self.traces[number]
        raw = self.source.read(trace.offset, 16 * trace.points)
        values = np.frombuffer(raw, f"{self.byte_order}f8").astype(np.float64)
        return values[: trace.points], values[trace.points :]


def open_scan(path: str | os.PathLike[str]) -> ImScan:
    """Return the header and the places of the data of an analysis that is no image.

    Parameters
    ----------
    path
        A depth profile, spot, line scan, energy or mass scan, beam stability... file.

    Raises
    ------
    DataError
        If the file is an image, is damaged, or holds data of a layout that is not known.
    """
    source = FileSource.open(path)
    header, order = read_head(source)
    tree = tree_of(header, order)
    number = tree["definition"]["analysis_type"]
    name = ANALYSIS_KINDS.get(number, "unknown")
    if number in _IMAGES:
        raise DataError(
            f"holds analysis type {number} ({name}), which is an image",
            path=source.path,
            place="offset 4",
            hint="Open it with mfxarray.open_mims(path).",
        )
    warnings = list(tree["warnings"])
    present = tree["definition"].get("data_present") == 1
    rest = source.size - len(header)
    if rest == 0 and not present:
        traces: tuple[Trace, ...] = ()
        warnings.append("holds only a header, no data")
    else:
        traces, found = _traces(source, len(header), order, number, len(tree.get("masses", ())))
        warnings += found
    return ImScan(source, order, tree, _axis(number, tree), traces, tuple(warnings))


def _traces(
    source: FileSource, start: int, order: str, number: int, masses: int
) -> tuple[tuple[Trace, ...], list[str]]:
    known = number in _KNOWN
    try:
        traces, end = _follow(source, start, order, masses)
    except DataError as error:
        if known:
            raise
        raise _unknown(source, start, number) from error
    rest = source.size - end
    if known:
        return traces, [f"{rest} bytes after the last trace are left out"] if rest else []
    # no file of these types with data was ever met: only a perfect fit is believed
    if rest or not masses or not any(trace.points for trace in traces):
        raise _unknown(source, start, number)
    return traces, [
        f"the data of analysis type {number} are not documented; they fit the layout of the other "
        "types to the last byte and are read so"
    ]


def _follow(
    source: FileSource, place: int, order: str, masses: int
) -> tuple[tuple[Trace, ...], int]:
    """Return the traces and the byte after them."""
    count = _integer(source, place, order)
    if not 1 <= count <= _MOST_TRACES or (masses and count != masses):
        listed = f", {masses} masses are listed" if masses else ""
        raise DataError(
            f"claims {count} traces{listed}",
            path=source.path,
            place=f"offset {place}",
            hint=f"The data are damaged. {_HINT}",
        )
    place += 4
    traces = []
    for _ in range(count):
        points = _integer(source, place, order)
        if points < 0:
            raise DataError(
                f"claims {points} points",
                path=source.path,
                place=f"offset {place}",
                hint=f"The data are damaged. {_HINT}",
            )
        source.require(place + 4, 16 * points)
        traces.append(Trace(place + 4, points))
        place += 4 + 16 * points
    return tuple(traces), place


def _integer(source: FileSource, place: int, order: str) -> int:
    return int(struct.unpack(f"{order}i", source.read(place, 4))[0])


def _unknown(source: FileSource, start: int, number: int) -> DataError:
    return DataError(
        f"holds {source.size - start} bytes of data of analysis type {number} "
        f"({ANALYSIS_KINDS.get(number, 'unknown')}), whose layout is not known",
        path=source.path,
        place=f"offset {start}",
        hint=_HINT,
    )


def _axis(number: int, tree: dict[str, Any]) -> Axis:
    if number in _TIME:
        return Axis("time", "s", "time since the start of counting")
    name = tree["definition"].get("analysis_name", "").lower()
    if number == 31 and name.endswith("trolley step scan"):
        return Axis("radius", "mm", "radius of the trolley")
    if number in (25, 31):
        return Axis("voltage", "V", "scanned voltage")
    return Axis("abscissa", "", "not documented for this type of analysis")
