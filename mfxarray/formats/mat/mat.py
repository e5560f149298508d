"""MINFLUX localizations in MATLAB files of versions 5 and 7.3, in all the shapes in circulation."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.mat import mat5, mat73
from mfxarray.formats.mat.layout import layouts
from mfxarray.formats.mat.nodes import Layout
from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype, record_dtype
from mfxarray.formats.sources import FileSource
from mfxarray.formats.tables import Measurement, Stream, Table

__all__ = ["open_mat"]

_TEXT5 = b"MATLAB 5.0 MAT-file"
_TEXT73 = b"MATLAB 7.3 MAT-file"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FLAT, _NESTED = flat_record_dtype(1), record_dtype(1)


def open_mat(path: str | os.PathLike[str], *, strict: bool = True) -> tuple[Measurement, ...]:
    """Return the data sets of a ``.mat`` file.

    Parameters
    ----------
    path
        The file.
    strict
        Whether a file that is cut is refused. If not, variables beyond the cut are left out, and
        the warnings say so; variables that every data set needs must be there all the same.

    Returns
    -------
    tuple of Measurement
        As a rule one. Several where the file holds several structs that are each a data set; their
        labels are then the names of the structs. Rows are a table, or a stream where a variable of
        version 5 is deflated.

    Raises
    ------
    DataError
        If the file is damaged, of another version, or holds no MINFLUX data, or if it is of
        version 7.3 and h5py is not installed.

    Notes
    -----
    Known are the nested and the flat model, each plain or wrapped into a struct, nested fields
    without the struct ``itr``, and the struct of the Göttingen data of 2021, whose positions are
    nanometres with z already multiplied by 0.7. Types are those of the vendor's records, whatever
    class MATLAB gave them; a value that does not fit is an error.
    """
    source = FileSource.open(path)
    head = source.read(0, min(source.size, 520))
    if head.startswith(_HDF5) or head[512:].startswith(_HDF5):
        return _version_73(source)
    if head.startswith(_TEXT73):
        raise DataError(
            "says it is of MATLAB 7.3 but is no HDF5 file",
            path=source.path,
            hint="The file is damaged; copy or export it again.",
        )
    if not head.startswith(_TEXT5):
        hint = "Versions 5 and 7.3 are read; save it again from MATLAB with -v7."
        raise DataError(
            f"is no MAT file, it starts with {head[:16]!r}", path=source.path, hint=hint
        )
    root, warnings = mat5.variables(source, strict=strict)
    made = tuple(_with_lost(layout) for layout in layouts(root, source))
    return _measurements(
        source, made, [mat5.rows_of(layout, source) for layout in made], "5", warnings
    )


def _with_lost(layout: Layout) -> Layout:
    """Return a layout that says what it lacks: version 5 has no list of its variables."""
    found = {name for column in layout.columns for name in column.path}
    arrays = {column.array.name for column in layout.columns if column.array is not None}
    lost = [name for name in _exported(layout.kind, arrays) if name not in found]
    if layout.name or not lost:  # what is in a struct cannot be cut off
        return layout
    text = f"lacks {', '.join(lost)}; a file that was cut between two variables looks the same"
    return replace(layout, warnings=(*layout.warnings, text))


def _exported(kind: str, arrays: set[str]) -> tuple[str, ...]:
    """Return the fields of an export, those of iterations only where they are variables."""
    if kind == "v2 flat":
        return _FLAT.names or ()
    if kind != "v1 nested":
        return ()
    inner = _NESTED[ITERATION].base.names or () if "loc" in arrays else ()
    return (*inner, *(_NESTED.names or ()))


def _version_73(source: FileSource) -> tuple[Measurement, ...]:
    made = layouts(mat73.variables(source), source)
    rows = [mat73.rows_of(layout, source) for layout in made]
    return _measurements(source, made, rows, "7.3", ())


def _measurements(
    source: FileSource,
    made: tuple[Layout, ...],
    rows: list[Any],
    version: str,
    warnings: tuple[str, ...],
) -> tuple[Measurement, ...]:
    return tuple(
        _measurement(source, layout, table, version, warnings, number if len(made) > 1 else None)
        for number, (layout, table) in enumerate(zip(made, rows, strict=True))
    )


def _measurement(
    source: FileSource,
    layout: Layout,
    rows: Table | Stream,
    version: str,
    warnings: tuple[str, ...],
    number: int | None,
) -> Measurement:
    label = "P1" if number is None else layout.name or f"P{number + 1}"
    return Measurement(
        rows=rows,
        source=source,
        container=f"mat v{version}",
        label=label,
        attrs={
            "container_version": version,
            "layout": layout.kind,
            "z_scaling": layout.z_scaling,
        },
        warnings=(*warnings, *layout.warnings),
    )
