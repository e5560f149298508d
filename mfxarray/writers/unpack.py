"""The archive of an ``.msr`` file as a folder, as the vendor's library unpacks it."""

from __future__ import annotations

import os

from mfxarray.errors import DataError
from mfxarray.formats.msr.mfxdta import MfxdtaKeys, check_key
from mfxarray.formats.msr.msr import MsrDataSet, list_msr
from mfxarray.writers.replacing import replacing_folder

__all__ = ["unpack"]

_PIECE = 8 * 2**20
# what an archive holds at its top; a folder with anything else is not ours to replace
_TOPS = {"zarr", "sync"}


def unpack(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    dataset: str | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Return the Zarr folders that were written: the arrays of an ``.msr`` file, byte for byte.

    Parameters
    ----------
    path
        The ``.msr`` file.
    folder
        Where to: ``folder/zarr`` will be the archive of one data set, ``folder/P1/zarr`` and so on
        those of several.
    dataset
        Label or id of one data set; all if not given.
    overwrite
        Whether a folder that holds unpacked archives, and nothing else, may be replaced.

    Raises
    ------
    DataError
        If the file is no whole ``.msr`` file with MINFLUX data, has no such data set, a name in it
        is not safe to use as a path, or ``folder`` holds something.

    Notes
    -----
    At most 8 MB of data are in memory. ``folder`` appears when all is written.
    """
    found = _chosen(list_msr(path), dataset)
    with replacing_folder(folder, _is_unpacked, overwrite=overwrite) as temporary:
        names = [""] if len(found) == 1 else _folder_names(found)
        for name, data_set in zip(names, found, strict=True):
            _unpack_one(data_set.keys, os.path.join(temporary, name))
    target = os.path.abspath(os.fspath(folder))
    return [os.path.join(target, name, "zarr") for name in names]


def _chosen(found: tuple[MsrDataSet, ...], dataset: str | None) -> tuple[MsrDataSet, ...]:
    if dataset is None:
        return found
    for data_set in found:
        ids = (data_set.label, *(data_set.tag.get(name) for name in ("aid", "did", "sid")))
        if dataset in ids:
            return (data_set,)
    labels = ", ".join(repr(data_set.label) for data_set in found)
    raise DataError(
        f"has no data set {dataset!r}; it has {labels}",
        path=found[0].keys.source.path,
        hint="Give one of these labels, or the id of the data set.",
    )


def _folder_names(found: tuple[MsrDataSet, ...]) -> list[str]:
    # a label comes from the file, and so is used as a path only if it is a plain name
    return [
        f"data_set_{number}" if "/" in one.label or check_key(one.label) else one.label
        for number, one in enumerate(found, 1)
    ]


def _unpack_one(keys: MfxdtaKeys, target: str) -> None:
    archive = keys.archive
    starts, sizes = archive.starts.tolist(), archive.sizes.tolist()
    for name, start, size in zip(archive.names, starts, sizes, strict=True):
        # names were checked when the archive was opened; nothing else is in the new folder
        place = os.path.join(target, *name.split("/"))
        try:
            if size < 0:
                os.makedirs(place, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "xb") as file:
                for at in range(start, start + size, _PIECE):
                    file.write(keys.stack.read(at, min(at + _PIECE, start + size)))
        except OSError as error:
            message = f"entry {name[:80]!r} cannot be written: {error.strerror}"
            raise DataError(message, path=keys.source.path, place=target) from error


def _is_unpacked(target: str) -> bool:
    """Tell whether a folder holds one archive, or folders of one archive each, and no more."""

    def is_archive(folder: str) -> bool:
        children = set(os.listdir(folder))
        return "zarr" in children and children <= _TOPS

    if is_archive(target):
        return True
    with os.scandir(target) as entries:
        return all(
            entry.is_dir(follow_symlinks=False) and is_archive(entry.path) for entry in entries
        )
