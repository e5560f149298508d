"""MINFLUX archives in Zarr format 2, laid out as Imspector's own: a folder, or a zip archive."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator

from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.replacing import replacing, replacing_folder
from mfxarray.writers.zarr_entries import BeadLayout, Entry, check_outgoing, zarr_entries

__all__ = ["write_zarr_v2", "zarr_entries"]

_TOP = "zarr/"
# zip keeps a time for every member; a fixed one makes equal data equal files
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def write_zarr_v2(
    path: str | os.PathLike[str],
    outgoing: Outgoing,
    *,
    chunk_rows: int | None = None,
    bead_layout: BeadLayout = "m2410",
    overwrite: bool = False,
) -> None:
    """Write a data set as the folder that Imspector unpacks, or as a zip archive of it.

    Parameters
    ----------
    path
        A folder, in which the folder ``zarr`` will be, or a file that ends in ".zip", whose
        members are what is in ``zarr``, stored without packing them again.
    outgoing
        The data set.
    chunk_rows
        Records in a chunk; about 1 MiB of them if not given.
    bead_layout
        "m2410": one array for all beads; "m2205": one array each.
    overwrite
        Whether something at ``path`` may be replaced.

    Raises
    ------
    DataError
        If something is there and ``overwrite`` is off, or the parent folder is missing.
    ValueError
        If the records are not as many as ``outgoing`` says, or a bead cannot be named in a file.

    Notes
    -----
    One block and one chunk are in memory at a time. The target appears when all is written; with
    ``overwrite`` an old folder is moved aside first and removed last.
    """
    check_outgoing(outgoing, chunk_rows, bead_layout)
    entries = zarr_entries(outgoing, chunk_rows=chunk_rows, bead_layout=bead_layout)
    if os.fspath(path).lower().endswith(".zip"):
        _write_zip(path, entries, overwrite)
        return
    with replacing_folder(path, _is_archive, overwrite=overwrite) as folder:
        for key, value in entries:
            place = os.path.join(folder, *key.split("/"))
            if value is None:
                os.mkdir(place)
                continue
            with open(place, "xb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())


def _write_zip(path: str | os.PathLike[str], entries: Iterator[Entry], overwrite: bool) -> None:
    with replacing(path, overwrite=overwrite) as file, zipfile.ZipFile(file, "w") as archive:
        for key, value in entries:
            if value is not None:
                info = zipfile.ZipInfo(key.removeprefix(_TOP), _ZIP_TIME)
                info.external_attr = 0o644 << 16
                archive.writestr(info, value, zipfile.ZIP_STORED)


def _is_archive(folder: str) -> bool:
    return os.listdir(folder) == ["zarr"]
