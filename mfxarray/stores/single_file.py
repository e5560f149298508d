"""Stores that are one file: complete under their name, or absent.

`mfxarray.writers.replacing` does the same for writers of one process. Here workers of a cluster
open the file by its path, and some of them may outlive a failed write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from mfxarray.writers.replacing import check_free

__all__ = ["staged_file"]


@contextmanager
def staged_file(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[str]:
    """Give a path at which to write a file that becomes ``path`` when the block ends well.

    Parameters
    ----------
    path
        Where the finished file will be.
    overwrite
        Replace a file that is there, once the new one is complete.

    Raises
    ------
    DataError
        Before any work: if something is there and ``overwrite`` is off, if a folder is there, or
        if the folder of the file is missing.

    Notes
    -----
    The new file lies in a hidden folder of its own beside the target. On any error that folder is
    removed, so that a worker that still runs cannot make its file anew.
    """
    target = check_free(path, overwrite)
    folder, name = os.path.split(target)
    with TemporaryDirectory(
        prefix=f".{name}.", suffix=".tmp", dir=folder, ignore_cleanup_errors=True
    ) as room:
        temporary = os.path.join(room, name)
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
