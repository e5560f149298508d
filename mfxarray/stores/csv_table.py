"""Tables of localizations and traces as csv, written block by block."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
import pyarrow as pa
import xarray as xr
from dask.base import compute
from pyarrow import csv as arrow_csv

from mfxarray.minflux.beads.seed_summary import with_position
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import was_done
from mfxarray.stores.csv_layouts import Rows, fields_of
from mfxarray.stores.export_rows import Field, check_numbers, cut_alike, safe_text
from mfxarray.stores.plain import is_text, text_list
from mfxarray.stores.several_files import staged_files
from mfxarray.stores.single_file import staged_file
from mfxarray.stores.tasks import Call, block_keys, in_order

__all__ = ["write_csv", "write_matlab_csv"]

Array = np.ndarray[Any, Any]

# what a column is without its numbers
_Column = tuple[tuple[str, ...], tuple[str, ...] | None]
_CORRECTED = "position_drift_corrected"


def write_csv(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    layout: str = "plain",
    position: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write localizations or a table of traces as one csv table.

    Parameters
    ----------
    ds
        Localizations, of which those are written that are valid, passed all filters and have a
        position; or traces, of which those that passed all filters.
    path
        The new file.
    layout
        "plain": every variable along the rows, units in the names of the columns
        ("position_i4_x (m)"). "seed": one row a trace as the Python seed has them, units m and s,
        see `mfxarray.minflux.beads.seed_summary.seed_summary`; its vectors are ``ltr_x``,
        ``ltr_y``, ``ltr_z`` and so on, and the last column ``wash`` is the label of the wash; the
        text columns of lists, which the seed leaves beside them, are not written. "matlab": of
        localizations "x (m)", "y (m)", "z (m)", "t (s)" since the first one, "trace id"; of traces
        positions, mean times, "n loc/event" and "sigma x (m)" and so on, which are the ``spread``
        of the table; and in the end ``wash`` where there are several.
    position
        Of localizations: which positions are written, or summed up by trace. By default the most
        corrected ones for "seed", ``position`` for "matlab".
    overwrite
        Replace a file that is there, once the new one is complete.

    Raises
    ------
    DataError
        If the file exists and ``overwrite`` is off, or the folder is missing.
    ValueError
        If the layout is unknown, the Dataset lacks what it needs, or a dtype is no number, text or
        bool.

    Notes
    -----
    Numbers have as many digits as are needed to read the very same ones; what is unknown is an
    empty cell. z is written as it is, not scaled. Text that a spreadsheet would take for a formula
    gets an apostrophe in front. Tasks write the text of their rows into the hidden folder of the
    new file, in parallel, and these are put one after the other: in memory are the blocks at work,
    on disk the table and one block; "seed" of localizations also needs what a table of all traces
    does. The bytes do not depend on chunks or scheduler.
    """
    with staged_file(path, overwrite=overwrite) as temporary:
        _write(fields_of(ds, layout, position), temporary)


def write_matlab_csv(
    ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False
) -> list[Path]:
    """Write the three tables of the MATLAB seed, all or none.

    Parameters
    ----------
    ds
        Localizations with ``position_drift_corrected``, see `correct_drift`.
    path
        Folder and first part of the names.
    overwrite
        Replace files that are there, once the new ones are complete.

    Returns
    -------
    list of pathlib.Path
        ``<path>.localizations.csv``, ``<path>.localizations-driftcorrected.csv`` and
        ``<path>.localizations-driftcorrected-combined.csv``, which has one row a trace.

    Raises
    ------
    DataError
        See `write_csv`.
    ValueError
        Also if there are no drift-corrected positions beside the measured ones.
    """
    if _CORRECTED not in ds.variables:
        replaced = was_done(ds.attrs, "correct_drift")
        hint = "with replace=False" if replaced else "first"
        raise ValueError(f"positions with and without drift are needed; call correct_drift {hint}")
    stem = os.fspath(path)
    endings = ("", "-driftcorrected", "-driftcorrected-combined")
    paths = [Path(f"{stem}.localizations{ending}.csv") for ending in endings]
    with staged_files(paths, overwrite=overwrite) as staged:
        combined = traces(with_position(ds, _CORRECTED), ddof="matlab", medians=(), photons=None)
        _write(fields_of(ds, "matlab", "position"), staged[0])
        _write(fields_of(ds, "matlab", _CORRECTED), staged[1])
        _write(fields_of(combined, "matlab", None), staged[2])
    return paths


def _write(rows: Rows, path: str) -> None:
    fields, keep = rows
    keep, *arrays = cut_alike([keep, *(field.data for field in fields)])
    columns: list[_Column] = [(field.names, field.texts) for field in fields]
    for field, array in zip(fields, arrays, strict=True):
        _check(field, array)
    keys = [list(block_keys(array).values()) for array in (keep, *arrays)]
    parts = [f"{path}.part{index:06d}" for index in range(keep.numblocks[0])]
    calls: list[Call] = [
        (partial(_write_part, part, columns), [row[index] for row in keys])
        for index, part in enumerate(parts)
    ]
    # the header first: without its folder nothing needs to be computed
    with open(path, "xb") as file:
        file.write(_header([name for names, _ in columns for name in names]))
    compute(in_order(calls, [keep, *arrays]))
    with open(path, "ab") as file:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, file, 2**20)
            os.unlink(part)


def _check(field: Field, array: da.Array) -> None:
    if not is_text(array.dtype) and (array.dtype.kind not in "biuf" or array.dtype.itemsize > 8):
        raise ValueError(f"{field.names[0]} has dtype {array.dtype}; convert it to numbers or text")


def _header(names: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue().encode()


def _write_part(path: str, columns: Sequence[_Column], blocks: list[Array]) -> None:
    """Write the rows of one block; run twice, it writes the same bytes."""
    keep, *values = blocks
    chosen = slice(None) if keep.all() else keep
    arrays: list[pa.Array] = []
    for (names, texts), block in zip(columns, values, strict=True):
        flat = block[chosen].reshape(-1, len(names))
        arrays += [_arrow(flat[:, place], texts) for place in range(len(names))]
    temporary = f"{path}.{uuid4().hex}"
    with open(temporary, "xb") as file:
        if len(arrays[0]):
            table = pa.Table.from_arrays(arrays, [str(place) for place in range(len(arrays))])
            arrow_csv.write_csv(table, file, arrow_csv.WriteOptions(include_header=False))
    os.replace(temporary, path)


def _arrow(values: Array, texts: tuple[str, ...] | None) -> pa.Array:
    if texts is not None:
        check_numbers(values, len(texts))
        return pa.DictionaryArray.from_arrays(
            pa.array(values, pa.int32()), pa.array(texts, pa.string()), safe=True
        ).dictionary_decode()
    if is_text(values.dtype):
        return pa.array([safe_text(text) for text in text_list(values, "a column")], pa.string())
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    # NaN is unknown: an empty cell is what every program takes for that
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return pa.array(plain, from_pandas=True)
