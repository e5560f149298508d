"""Several files that appear together: each complete under its name, or none of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from mfxarray.writers.replacing import check_free

__all__ = ["staged_files"]


@contextmanager
def staged_files(
    paths: Sequence[str | os.PathLike[str]], *, overwrite: bool = False
) -> Iterator[list[str]]:
    """Give a path for each file; the files become ``paths`` when the block ends well.

    Parameters
    ----------
    paths
        Where the finished files will be, all in one folder.
    overwrite
        Replace files that are there, once all new ones are complete.

    Raises
    ------
    DataError
        Before any work: if one of them is there and ``overwrite`` is off, or is a folder, or the
        folder is missing.
    ValueError
        If two paths are the same, or they lie in different folders.

    Notes
    -----
    The new files lie in a hidden folder beside the targets. On any error that folder is removed
    and the targets are as they were. A process that is killed while it renames may leave a part of
    the files in place, each of them complete.
    """
    targets = [check_free(path, overwrite) for path in paths]
    if not targets or len({os.path.normcase(target) for target in targets}) < len(targets):
        raise ValueError("each file needs a name of its own")
    folders = {os.path.dirname(target) for target in targets}
    if len(folders) > 1:
        raise ValueError("the files must lie in one folder")
    with TemporaryDirectory(
        prefix=f".{os.path.basename(targets[0])}.",
        suffix=".tmp",
        dir=folders.pop(),
        ignore_cleanup_errors=True,
    ) as room:
        staged = [os.path.join(room, os.path.basename(target)) for target in targets]
        yield staged
        for path in staged:
            with open(path, "r+b") as file:
                os.fsync(file.fileno())
        _exchange(staged, targets, room)


def _exchange(staged: list[str], targets: list[str], room: str) -> None:
    """Put the new files in place; put the old ones back if one cannot be."""
    kept: list[tuple[str, str]] = []
    placed: list[str] = []
    try:
        for number, (path, target) in enumerate(zip(staged, targets, strict=True)):
            if os.path.lexists(target):
                aside = os.path.join(room, f"{number}.old")
                os.rename(target, aside)
                kept.append((aside, target))
            os.rename(path, target)
            placed.append(target)
    except BaseException:
        for target in placed:
            os.unlink(target)
        for aside, target in kept:
            os.rename(aside, target)
        raise
