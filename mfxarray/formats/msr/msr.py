"""MINFLUX data sets in Imspector's ``.msr`` files, read in place."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.json.text import parse_json
from mfxarray.formats.msr.mfxdta import MAGIC, MfxdtaKeys
from mfxarray.formats.msr.obf import ObfFile, ObfStack, read_obf
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement
from mfxarray.formats.zarr.minflux import open_store

__all__ = ["MsrDataSet", "list_msr", "open_msr"]

_UINT8 = 1
_TAG = "minflux"
_IDS = ("aid", "did", "sid")


@dataclass(frozen=True)
class MsrDataSet:
    """A MINFLUX data set of a file.

    Attributes
    ----------
    label
        Name by which a user picks it; unique in the file.
    stack
        The OBF stack that carries it.
    keys
        The store of its arrays, keys relative to the folder ``zarr``.
    tag
        What the vendor's tag says: ``aid``, ``did``, ``sid``, ``label``, ``type``.
    warnings
        What is missing of a damaged file.
    """

    label: str
    stack: ObfStack = field(repr=False)
    keys: MfxdtaKeys
    tag: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The id of the data set: ``aid``, else ``did``, else ``sid``, else its label."""
        return next((self.tag[name] for name in _IDS if self.tag.get(name)), self.label)

    def attrs(self) -> dict[str, Any]:
        """Return ids, label and the time of saving as JSON-able attributes."""
        found = {name: self.tag[name] for name in _IDS if self.tag.get(name)}
        archive = self.keys.archive
        found["label"] = self.label
        found["msr_version"] = f"MFXDTA {archive.version}, stack {self.stack.head.version}"
        if archive.saved > 0:
            found["saved"] = datetime.fromtimestamp(archive.saved, UTC).isoformat()
        return found


def open_msr(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[Measurement, ...]:
    """Return all MINFLUX data sets of an ``.msr`` file; their records stay where they are.

    Parameters
    ----------
    path
        The file.
    strict
        Refuse a damaged or truncated file; if off, what is there is given, and what is missing is
        listed.

    Raises
    ------
    DataError
        If the file is no OBF file, holds no MINFLUX data, or is damaged.

    Notes
    -----
    Reads the headers of the stacks (a few kB each) and the heads of the archive's entries (64
    bytes each). Nothing is unpacked.
    """
    found = list_msr(path, strict=strict)
    opened, faults = [], []
    for data_set in found:
        try:
            opened.append(_measurement(data_set, strict))
        except DataError as error:
            if strict or len(found) == 1:
                raise
            faults.append(f"data set {data_set.label!r} cannot be read: {error.reason}")
    if not opened:
        hint = "Copy the file again."
        raise DataError("; ".join(faults), path=found[0].keys.source.path, hint=hint)
    return tuple(replace(one, warnings=(*one.warnings, *faults)) for one in opened)


def list_msr(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[MsrDataSet, ...]:
    """Return the MINFLUX data sets of an ``.msr`` file: labels, ids and stores.

    Parameters
    ----------
    path
        The file.
    strict
        As in `open_msr`.

    Raises
    ------
    DataError
        If the file is no OBF file, is damaged, or holds no MINFLUX data.

    References
    ----------
    A data set is a stack of bytes whose tag ``minflux`` is JSON of type "data"; early files have
    a tag without a type or none, and are known by the first bytes of the stack.
    """
    file = read_obf(FileSource.open(path), strict)
    found: list[MsrDataSet] = []
    for stack in file.stacks:
        if stack.head.dtype_code != _UINT8:
            continue
        tag = _tag(stack)
        if tag.get("type", "data") == "data" and _is_archive(
            stack, certain=strict and "type" in tag
        ):
            keys = MfxdtaKeys(stack.data(), strict)
            found.append(MsrDataSet(_wish(tag, stack, len(found)), stack, keys, tag, file.notes))
    if not found:
        raise _nothing(file)
    labels = _unique(data_set.label for data_set in found)
    return tuple(replace(one, label=label) for one, label in zip(found, labels, strict=True))


def _measurement(data_set: MsrDataSet, strict: bool) -> Measurement:
    found = open_store(data_set.keys, "msr", label=data_set.label, strict=strict)
    notes = (*data_set.warnings, *data_set.keys.archive.notes)
    return replace(
        found,
        label=data_set.label,
        attrs={**found.attrs, **data_set.attrs()},
        warnings=(*found.warnings, *notes),
    )


def _tag(stack: ObfStack) -> dict[str, Any]:
    """Return the vendor's tag; {} where there is none or it is something else."""
    try:
        text = stack.tag(_TAG)
        # other stacks carry placeholders that are no JSON
        found = parse_json(text or b"{}", path=stack.source.path, place=f"tag {_TAG}")
    except DataError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _is_archive(stack: ObfStack, *, certain: bool) -> bool:
    """Tell whether a stack begins as an archive does; what must be one and cannot is an error."""
    try:
        data = stack.data()
        return data.read(0, min(len(MAGIC), data.size)) == MAGIC or certain
    except DataError:
        if certain:
            raise
        return False


def _wish(tag: dict[str, Any], stack: ObfStack, number: int) -> str:
    """Return the label of a data set before it is made unique."""
    for text in (tag.get("label"), stack.description, stack.name):
        # a description may also be a long XML text
        if text and len(text) <= 200 and text.isprintable() and not text.startswith("<"):
            return str(text)
    return f"P{number + 1}"


def _unique(wishes: Iterable[str]) -> list[str]:
    labels: list[str] = []
    for wish in wishes:
        label, number = wish, 2
        while label in labels:
            label, number = f"{wish}_{number}", number + 1
        labels.append(label)
    return labels


def _nothing(file: ObfFile) -> DataError:
    names = [stack.name or f"without a name, {stack.shape}" for stack in file.stacks]
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    inside = f"its {len(names)} stacks are: {listed}" if names else "it has no stacks"
    lost = "".join(f"; {note}" for note in file.notes)
    return DataError(
        f"holds no MINFLUX data; {inside}{lost}",
        path=file.source.path,
        hint="Give a file that was saved with MINFLUX data, not only with images.",
    )
