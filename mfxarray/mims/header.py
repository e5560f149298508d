"""The whole header of a NanoSIMS file to look things up in, and to read in a notebook."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.im.about import ROOT, about, record_of, vendor_tree
from mfxarray.formats.im.structs import Field
from mfxarray.formats.im.tree import read_tree
from mfxarray.formats.sources import FileSource
from mfxarray.mims.header_table import header_table

__all__ = ["ATTRIBUTE", "MimsHeader", "header_of", "read_mims_header"]

# the attribute of opened images that holds the header as JSON text
ATTRIBUTE = "header"
_MOST_TEXT = 16 * 2**20
_DEEPEST = 16  # records nest six deep


class MimsHeader(Mapping[str, Any]):
    """A header, or one record of it: fields by names that people understand.

    Fields are items and attributes alike, ``header.definition.stage_x`` is
    ``header["definition"]["stage_x"]``. Fields that the release of the file does not have, and
    fields whose bytes cannot be a value, are absent.

    Parameters
    ----------
    values
        Nested numbers, texts and lists.
    record
        The vendor's structure they came from; default: a whole header.
    """

    __slots__ = ("_record", "_values")

    def __init__(self, values: Mapping[str, Any], record: str | None = ROOT) -> None:
        self._values = dict(values)
        self._record = record

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        if isinstance(value, Mapping):
            return MimsHeader(value, self._inside(name))
        if isinstance(value, list):
            rows = (
                MimsHeader(row, self._inside(name)) if isinstance(row, Mapping) else row
                for row in value
            )
            return tuple(rows)
        return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            known = "" if name.startswith("_") else f"; it has {', '.join(self._values)}"
            raise AttributeError(f"this part of the header has no {name}{known}")
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MimsHeader):
            return self._values == other._values
        return self._values == other if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        what = "header" if self._record == ROOT else str(self._record)
        kind = self._values.get("analysis_kind")
        of = f" of {kind!r}" if isinstance(kind, str) else ""
        return f"<MimsHeader: {what}{of}, {len(self)} entries: {', '.join(self._values)}>"

    def _repr_html_(self) -> str:
        return header_table(self)

    @property
    def original(self) -> dict[str, Any]:
        """The same, nested, under the names of the vendor's structures."""
        return vendor_tree(self._values, self._record)

    def about(self, name: str) -> Field | None:
        """Return unit, meaning and original name of a field; None where nothing is known of it."""
        return about(self._record, name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dicts and lists that ``json.dumps`` takes."""
        return copy.deepcopy(self._values)

    def _inside(self, name: str) -> str | None:
        if self._record == ROOT:
            return record_of(self._values, name)
        field = self.about(name)
        return field.kind if field is not None and field.nested else None


def read_mims_header(path: str | os.PathLike[str]) -> MimsHeader:
    """Return everything that the header of a NanoSIMS file says, of any type of analysis.

    Parameters
    ----------
    path
        An ``.im``, ``.is``, ``.dp``, ``.ls``, ``.bs``, ``.e0s``... file, plain or packed.

    Returns
    -------
    MimsHeader
        Nested, without the data. What does not fit together is left out, and its ``warnings``
        say why.

    Raises
    ------
    DataError
        If the file is of another kind or ends inside its header.

    Notes
    -----
    Reads about 30 kB, whatever the size of the file.
    """
    from mfxarray.records.unpacked import unpacked

    return MimsHeader(read_tree(FileSource.open(unpacked(path))))


def header_of(attrs: Mapping[Any, Any]) -> MimsHeader:
    """Return the header of the file that images were opened from, kept in their attributes.

    Raises
    ------
    ValueError
        If the attributes hold no header.
    DataError
        If what they hold is not one.
    """
    text = attrs.get(ATTRIBUTE)
    if not isinstance(text, str):
        raise ValueError(
            "these data carry no header; data opened with mfxarray.open_mims do, and "
            "mfxarray.read_mims_header(path) reads that of a file"
        )
    if len(text) > _MOST_TEXT:
        raise DataError(f"the attribute {ATTRIBUTE} holds {len(text)} characters")
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the attribute {ATTRIBUTE} is not JSON: {error}") from error
    whole = isinstance(tree, dict) and isinstance(tree.get("definition"), dict)
    if not whole or not _is_shallow(tree, _DEEPEST):
        raise DataError(f"the attribute {ATTRIBUTE} is not the header of a NanoSIMS file")
    return MimsHeader(tree)


def _is_shallow(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(part, depth - 1) for part in inside)
