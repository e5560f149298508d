"""Beads of the beamline monitor in MINFLUX archives, in the older and the newer layout."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.keys import KeyStore
from mfxarray.formats.tables import BeadTrack
from mfxarray.formats.zarr.attrs import read_attrs
from mfxarray.formats.zarr.v2 import ZarrTable, open_table

__all__ = ["ZarrBeads", "open_beads"]

Array = np.ndarray[Any, Any]
Gaps = tuple[tuple[int, int], ...]

_POINTS = "grd/mbm/points"
_OLD = re.compile(r"(grd/mbm/[^/]+)/\.zarray")
# days of monitoring with dozens of beads stay below a tenth of it
_SAMPLE_CAP = 2_000_000
_BEAD_CAP = 10_000
# names in the file: grid index, times, positions, strengths
_NEW_FIELDS = ("gri", "tim", "xyz", "str")
_OLD_FIELDS = (None, "tim", "pos", "str")


@dataclass(frozen=True)
class _Track:
    """An array of samples, of one bead or of all of them; ``gaps`` are rows that are lost."""

    table: ZarrTable
    fields: tuple[str | None, str, str, str]
    gaps: Gaps
    name: str
    gri: int


@dataclass(frozen=True)
class ZarrBeads:
    """The beads of one archive; read when asked for.

    Attributes
    ----------
    arrays
        Arrays of samples: one for all beads (m2410), or one each (m2205).
    names
        Name of every grid index of an array for all beads.
    used
        Names of the beads chosen for the correction.
    """

    arrays: tuple[_Track, ...]
    names: tuple[tuple[int, str], ...]
    used: frozenset[str]

    @property
    def missing(self) -> int:
        """Number of samples that a damaged archive lost."""
        return sum(stop - start for track in self.arrays for start, stop in track.gaps)

    def tracks(self) -> tuple[BeadTrack, ...]:
        """Return all beads in natural order of their names; failed samples are NaN there.

        Raises
        ------
        DataError
            If the samples are damaged.

        Notes
        -----
        Reads all samples, some 40 bytes each. Names that no sample belongs to give empty tracks.
        """
        found: list[BeadTrack] = []
        for array in self.arrays:
            rows = _present_rows(array)
            if array.fields[0] is None:
                found.append(self._track(array.name, array.gri, rows, array))
            else:
                found += self._split(rows, array)
        return tuple(sorted(found, key=lambda track: (_natural(track.name), track.gri)))

    def _split(self, rows: Array, array: _Track) -> list[BeadTrack]:
        """Return the beads of an array that holds the samples of all of them."""
        order = np.argsort(rows["gri"], kind="stable")
        present, first = np.unique(rows["gri"][order], return_index=True)
        parts = dict(zip(present.tolist(), np.split(order, first[1:]), strict=False))
        if len(parts) > _BEAD_CAP:
            message = f"names {len(parts)} beads"
            raise DataError(message, path=array.table.keys.source.path, place=_POINTS)
        names = dict(self.names)
        none = np.empty(0, np.intp)
        return [
            self._track(names.get(gri, f"gri{gri}"), gri, rows[parts.get(gri, none)], array)
            for gri in sorted({*parts, *names})
        ]

    def _track(self, name: str, gri: int, rows: Array, array: _Track) -> BeadTrack:
        _, tim, xyz, strength = array.fields
        position = rows[xyz].astype(np.float64)
        position[rows[strength] == 0] = np.nan
        times, strengths = rows[tim].astype(np.float64), rows[strength].astype(np.float64)
        return BeadTrack(name, gri, name in self.used, times, position, strengths)


def open_beads(keys: KeyStore, *, strict: bool = True) -> ZarrBeads | None:
    """Return the beads of an archive, None where it holds none.

    Parameters
    ----------
    keys
        The archive.
    strict
        Whether missing chunks are an error; samples in them are left out otherwise.

    Raises
    ------
    DataError
        If the arrays of the beads are damaged.

    Notes
    -----
    Reads the attributes, no samples.
    """
    if keys.size(f"{_POINTS}/.zarray") is not None:
        array = _array(keys, _POINTS, _NEW_FIELDS, strict, "", 0)
        known = read_attrs(keys, f"{_POINTS}/.zattrs").get("points_by_gri")
        return ZarrBeads((array,), _names(known), _used(keys))
    names = keys.keys()
    matches = (_OLD.fullmatch(key) for key in names if key.startswith("grd/mbm/"))
    folders = [match[1] for match in matches if match]
    if not folders:
        return None
    if len(folders) > _BEAD_CAP:
        raise DataError(f"names {len(folders)} beads", path=keys.source.path, place="grd/mbm")
    arrays = []
    for folder in folders:
        attrs = read_attrs(keys, f"{folder}/.zattrs")
        name = attrs.get("name")
        name = name if isinstance(name, str) and name else folder.rpartition("/")[2]
        arrays.append(_array(keys, folder, _OLD_FIELDS, strict, name, _gri(attrs.get("gri")) or 0))
    return ZarrBeads(tuple(arrays), (), _used(keys))


def _array(
    keys: KeyStore,
    folder: str,
    fields: tuple[str | None, str, str, str],
    strict: bool,
    name: str,
    gri: int,
) -> _Track:
    table, missing = open_table(keys, folder, strict=strict)
    if table.n_rows > _SAMPLE_CAP:
        message = f"claims {table.n_rows} bead samples; up to {_SAMPLE_CAP} are read"
        raise DataError(message, path=keys.source.path, place=folder)
    for field, kinds, tail in zip(
        fields, ("iu", "fiu", "f", "fiu"), ((), (), (3,), ()), strict=True
    ):
        if field is None:
            continue
        kind = table.dtype[field] if field in (table.dtype.names or ()) else None
        base, shape = (kind.subdtype or (kind, ())) if kind is not None else (None, ())
        if base is None or base.kind not in kinds or shape != tail:
            message = f"bead samples have the field {field} as {kind}"
            raise DataError(message, path=keys.source.path, place=folder)
    return _Track(table, fields, missing.rows, name, gri)


def _present_rows(array: _Track) -> Array:
    edges = [0, *(edge for gap in array.gaps for edge in gap), array.table.n_rows]
    parts = [array.table.read(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]
    return np.concatenate(parts)


def _names(known: object) -> tuple[tuple[int, str], ...]:
    """Return grid index and name of every bead that the attributes name sensibly."""
    found: dict[int, str] = {}
    for key, value in known.items() if isinstance(known, dict) else ():
        entry = value if isinstance(value, dict) else {}
        gri = _gri(entry.get("gri", key))
        name = entry.get("name")
        if gri is not None and len(found) < _BEAD_CAP:
            found[gri] = name if isinstance(name, str) and name else f"gri{gri}"
    counts = Counter(found.values())
    return tuple(
        (gri, f"{name} (gri {gri})" if counts[name] > 1 else name) for gri, name in found.items()
    )


def _gri(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    number = int(text) if re.fullmatch("[0-9]{1,10}", text) else -1
    return number if 0 <= number < 2**32 else None


def _used(keys: KeyStore) -> frozenset[str]:
    """Return the names of the chosen beads, wherever the version of the archive keeps them."""
    found: set[str] = set()
    for place in ("mbm/.zattrs", "grd/mbm/.zattrs"):
        used = read_attrs(keys, place).get("used")
        found |= (
            {name for name in used if isinstance(name, str)} if isinstance(used, list) else set()
        )
    return frozenset(found)


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
