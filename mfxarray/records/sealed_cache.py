"""Making a cache that is a sealed folder, while other processes may be making the same one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.records.cache_folder import forget_old, remove_cache
from mfxarray.stores.seal import staged

__all__ = ["make_sealed"]

Found = TypeVar("Found")


def make_sealed(
    source: FileSource,
    target: Path,
    kind: str,
    fill: Callable[[Path], dict[str, Any]],
    reuse: Callable[[], Found | None],
) -> Found:
    """Return what a cache gives that was not there, or was broken, when it was looked at.

    Parameters
    ----------
    source
        The file that it is made from; caches of earlier states of it are removed.
    target
        Where it will be.
    kind
        Kind of its seal.
    fill
        Writes into a folder, and returns the notes for the seal.
    reuse
        Returns what a complete cache gives, None where there is none.

    Raises
    ------
    DataError
        If it cannot be filled or written, and no other process was faster.
    """
    if os.path.lexists(target):  # broken, by whatever; looked at just before
        remove_cache(target)
    notes: dict[str, Any] = {}
    found = None
    try:
        # the notes are looked at when the block ends
        with staged(target, kind=kind, extra=notes) as folder:
            notes.update(fill(folder))
    except DataError:
        found = reuse()
        if found is None:
            raise
    except OSError as error:
        hint = 'Give a folder with room: mfxarray.set_options(cache_folder="...").'
        message = f"its cache cannot be written: {error.strerror}"
        raise DataError(message, path=target, hint=hint) from error
    found = reuse() if found is None else found
    if found is None:
        raise DataError("was changed while it was written", path=target, hint="Open it again.")
    forget_old(source)
    return found
