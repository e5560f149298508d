"""Folders that appear complete and sealed, or not at all.

A store is written into ``<target>.tmp-<uuid>`` beside its target. When everything is there, the
seal is written last (see `mfxarray.stores.manifest`). Files and folders are flushed to disk and
the folder is renamed onto the target in one step. A writer that dies leaves no target.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from mfxarray._version import __version__
from mfxarray.errors import DataError
from mfxarray.provenance import identity
from mfxarray.stores.manifest import (
    SEAL_NAME,
    Seal,
    check_sealed,
    hash_file,
    is_sealed,
    read_seal,
)

__all__ = ["SEAL_NAME", "Seal", "check_sealed", "is_sealed", "read_seal", "staged"]

_REMOVE_SECONDS = 5.0


@contextmanager
def staged(
    target: str | os.PathLike[str],
    *,
    kind: str,
    attrs: Mapping[Any, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Give a fresh folder that becomes ``target`` when the block ends without an error.

    Parameters
    ----------
    target
        Where the finished store will be.
    kind
        "zarr" or "parquet".
    attrs
        Attributes of the contents; their provenance gives the identity in the seal.
    extra
        Further JSON-able facts for the seal, looked at when the block ends.
    overwrite
        Replace a store that is already there. The old one stays untouched until the new one is
        complete and sealed, and is put back if the exchange fails.

    Raises
    ------
    DataError
        If the target exists (before any work), is no store, or its folder is missing.

    Notes
    -----
    On any error the temporary folder is removed. A process that is killed leaves it behind, under
    a name that no reader takes for the target; it may be deleted.
    """
    final = Path(os.path.abspath(os.fspath(target)))
    _check_target(final, overwrite)
    label = identity(attrs or {})
    temporary = final.with_name(f"{final.name}.tmp-{uuid4().hex}")
    temporary.mkdir()
    try:
        yield temporary
        files = tuple(_flush_files(temporary))
        hashes = {name: hash_file(temporary / name) for name, _ in files if name.endswith(".json")}
        _write_seal(temporary, Seal(kind, __version__, label, files, hashes, dict(extra or {})))
        _publish(temporary, final, overwrite)
    except BaseException:
        _remove(temporary)
        raise


def _check_target(final: Path, overwrite: bool) -> None:
    if not final.parent.is_dir():
        raise DataError("its folder does not exist", path=final, hint="Create the folder first.")
    if not os.path.lexists(final):
        return
    if not overwrite:
        hint = "Give another path, or overwrite=True to replace it."
        raise DataError("exists already", path=final, hint=hint)
    if not _is_replaceable(final):
        hint = "overwrite=True replaces stores only; give another path."
        raise DataError("is no Zarr or Parquet store", path=final, hint=hint)


def _is_replaceable(final: Path) -> bool:
    if final.is_symlink() or not final.is_dir():
        return False
    names = os.listdir(final)
    known = {SEAL_NAME, "zarr.json", ".zgroup", ".zattrs"}
    return not names or not known.isdisjoint(names) or all(n.endswith(".parquet") for n in names)


def _flush_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Flush every file and folder below ``folder``; give the files with sizes, sorted."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if name.endswith(".partial"):  # of a write that was cut off and done again
                path.unlink()
                continue
            _fsync(path)
            found.append((path.relative_to(folder).as_posix(), path.stat().st_size))
        _fsync(Path(root))
    return iter(sorted(found))


def _fsync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # folders cannot be flushed there
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_seal(folder: Path, seal: Seal) -> None:
    path = folder / SEAL_NAME
    path.write_text(seal.to_json(), encoding="utf-8")
    _fsync(path)
    _fsync(folder)


def _publish(temporary: Path, final: Path, overwrite: bool) -> None:
    aside = None
    if overwrite and os.path.lexists(final):
        aside = final.with_name(f"{final.name}.old-{uuid4().hex}")
        os.rename(final, aside)
    try:
        _rename(temporary, final)
    except BaseException:
        if aside is not None:
            os.rename(aside, final)
        raise
    _fsync(final.parent)
    if aside is not None:
        _remove(aside)


def _rename(temporary: Path, final: Path) -> None:
    try:
        os.rename(temporary, final)
    except OSError as error:
        message = f"could not be put in place: {error.strerror}"
        hint = "Another writer may have finished first; look at what is there."
        raise DataError(message, path=final, hint=hint) from error


def _remove(folder: Path) -> None:
    """Remove a folder into which tasks that still run may be writing."""
    doomed = folder.with_name(f"{folder.name}.removed")
    if folder.exists():
        # writers look for the folder before they create files, so they stop here at once
        os.rename(folder, doomed)
    until = time.monotonic() + _REMOVE_SECONDS
    while doomed.exists() and time.monotonic() < until:
        shutil.rmtree(doomed, ignore_errors=True)
