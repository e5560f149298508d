"""Files that appear complete under their name, or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from mfxarray.errors import DataError

__all__ = ["check_free", "replacing", "replacing_folder"]


def check_free(path: str | os.PathLike[str], overwrite: bool) -> str:
    """Return the absolute path of a target.

    Raises
    ------
    DataError
        If something is there and ``overwrite`` is off, if a folder is there, or if the folder of
        the target is missing.
    """
    target = os.path.abspath(os.fspath(path))
    if not os.path.isdir(os.path.dirname(target)):
        hint = "Create the folder first."
        raise DataError("its folder does not exist", path=target, hint=hint)
    if os.path.isdir(target):
        raise DataError("is a folder", path=target, hint="Give the path of a file.")
    if os.path.lexists(target) and not overwrite:
        hint = "Give another path, or overwrite=True to replace it."
        raise DataError("exists already", path=target, hint=hint)
    return target


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Give a binary file, readable and seekable, that gets its name when the block ends well.

    Raises
    ------
    DataError
        See `check_free`.

    Notes
    -----
    The bytes lie in a hidden file beside the target until then, and are flushed to disk before
    the renaming. On any error nothing is left and the target is as it was.
    """
    target = check_free(path, overwrite)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


@contextmanager
def replacing_folder(
    path: str | os.PathLike[str], is_ours: Callable[[str], bool], *, overwrite: bool = False
) -> Iterator[str]:
    """Give an empty folder that gets its name when the block ends well.

    Parameters
    ----------
    path
        The folder to make. An empty one may be there.
    is_ours
        Tells whether a folder that is there holds nothing but what we write, so that it may go.
    overwrite
        Replace such a folder.

    Raises
    ------
    DataError
        If something else is there, or the parent folder is missing.
    """
    target = os.path.abspath(os.fspath(path))
    _check_folder(target, is_ours, overwrite)
    parent, name = os.path.split(target)
    mark = uuid.uuid4().hex
    temporary = os.path.join(parent, f".{name}.{mark}.tmp")
    old = os.path.join(parent, f".{name}.{mark}.old")
    try:
        os.mkdir(temporary)
        yield temporary
        if os.path.isdir(target):
            os.rename(target, old)
        try:
            os.rename(temporary, target)
        except OSError:
            if os.path.isdir(old):
                os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_folder(target: str, is_ours: Callable[[str], bool], overwrite: bool) -> None:
    if not os.path.isdir(os.path.dirname(target)):
        hint = "Create the folder first."
        raise DataError("its folder does not exist", path=target, hint=hint)
    if not os.path.lexists(target):
        return
    if os.path.islink(target) or not os.path.isdir(target):
        raise DataError("is no folder", path=target, hint="Give the path of a folder.")
    if not os.listdir(target):
        return
    if not overwrite:
        hint = "Give another path, or overwrite=True to replace it."
        raise DataError("exists already and is not empty", path=target, hint=hint)
    if not is_ours(target):
        hint = "Give another path, or remove the folder yourself."
        raise DataError("holds more than an unpacked archive", path=target, hint=hint)
