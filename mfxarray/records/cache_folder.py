"""Where the caches of a source lie, under names that a changed source never meets again.

A name holds the base name of the source, a hash of its path, a hash of its state (size,
modification time and the bytes at both ends), and a hash of what is kept and of the code that
made it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource
from mfxarray.options import get_options

__all__ = ["cache_path", "find_cache", "forget_old", "remove_cache"]

# to be raised whenever what is kept in caches, or how it is made, changes
_GENERATION = 1
_FOLDER_SUFFIX = ".mfxcache"
_NAME_BYTES = 100
# a folder that nobody wrote into for so long belongs to a process that died
_ABANDONED_SECONDS = 24 * 3600.0


def cache_path(source: FileSource, what: str, suffix: str) -> Path:
    """Return the path of a cache, whether it is there or not; its folder exists.

    Parameters
    ----------
    source
        The file from which the cache is made.
    what
        Text that differs whenever the contents of the cache would: the identity of a stream.
    suffix
        End of the name, such as ".columns".

    Raises
    ------
    DataError
        If the source changed since it was opened, or no folder can be made.

    Notes
    -----
    The folder is the option ``cache_folder`` if given, else ``<file>.mfxcache`` beside the
    source, else, where that cannot be written, ``mfxarray`` in the user's cache folder. A cache
    that is there is found in any of the last two. Reads 128 kB of the source.
    """
    found = find_cache(source, what, suffix)
    if found is not None:
        return found
    name, folders = _full_name(source, what, suffix), _folders(source)
    for folder in folders:
        if _is_usable(folder):
            return folder / name
    tried = " and ".join(str(folder) for folder in folders)
    hint = 'Give a folder: mfxarray.set_options(cache_folder="...").'
    raise DataError(
        f"no folder for its cache can be written ({tried})", path=source.path, hint=hint
    )


def find_cache(source: FileSource, what: str, suffix: str) -> Path | None:
    """Return the path of a cache that is there, None where there is none; makes no folder.

    Parameters
    ----------
    source, what, suffix
        As for `cache_path`.

    Raises
    ------
    DataError
        If the source changed since it was opened.
    """
    folders = [folder for folder in _folders(source) if folder.is_dir()]
    # without a folder the source need not be read for its name
    paths = [folder / _full_name(source, what, suffix) for folder in folders]
    return next((path for path in paths if os.path.lexists(path)), None)


def forget_old(source: FileSource) -> list[Path]:
    """Remove the caches of this path whose source is gone; return what was removed.

    Parameters
    ----------
    source
        The file in its present state, whose caches stay.

    Notes
    -----
    What other processes are writing stays, unless untouched for a day. Caches that cannot be
    removed are left, because nothing depends on their removal.
    """
    current = _Name.of(source)
    removed = []
    for folder in _folders(source):
        for path in _entries(folder, f"{current.base}-{current.place}-"):
            being_written = ".tmp-" in path.name
            outdated = not path.name.startswith(f"{current}-")
            if (_is_abandoned(path) if being_written else outdated) and remove_cache(path):
                removed.append(path)
    return removed


@dataclass(frozen=True)
class _Name:
    """The part of a cache's name that tells source and state."""

    base: str
    place: str
    state: str

    @classmethod
    def of(cls, source: FileSource) -> _Name:
        """Return the name that a file has in the cache; it changes when the file does."""
        plain = re.sub(r"[^\w.+-]", "_", os.path.basename(_subject(source)))
        base = plain.encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
        state = f"{source.size} {source.mtime_ns} {source.fingerprint()}"
        return cls(base, _hash(source.path, 8), _hash(state, 16))

    def __str__(self) -> str:
        return f"{self.base}-{self.place}-{self.state}"


def _full_name(source: FileSource, what: str, suffix: str) -> str:
    return f"{_Name.of(source)}-{_hash(f'{_GENERATION} {what}', 12)}{suffix}"


def _hash(text: str, letters: int) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:letters]


def _subject(source: FileSource) -> str:
    """Return what the user calls the file: for an unpacked zarr, its folder."""
    folder, name = os.path.split(source.path)
    if name != ".zarray":
        return source.path
    return os.path.dirname(folder) if os.path.basename(folder) == "mfx" else folder


def _folders(source: FileSource) -> tuple[Path, ...]:
    chosen = get_options().cache_folder
    if chosen is not None:
        return (Path(chosen),)
    return (Path(f"{_subject(source)}{_FOLDER_SUFFIX}"), _user_folder())


def _user_folder() -> Path:
    root = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    # the standard of these variables: a relative path counts as not set
    if not root or not os.path.isabs(root):
        root = os.path.join(os.path.expanduser("~"), ".cache")
    return Path(root, "mfxarray")


def _is_usable(folder: Path) -> bool:
    beside = folder.name.endswith(_FOLDER_SUFFIX)
    try:
        folder.mkdir(parents=not beside, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _entries(folder: Path, start: str) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.startswith(start))
    except OSError:
        return []


def _is_abandoned(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS
    except OSError:
        return False


def remove_cache(path: Path) -> bool:
    """Remove a cache, a file or a folder, in one step; False where that fails."""
    # under this name nobody takes it for a cache, and what is left of it is found again
    doomed = path.with_name(f"{path.name}.tmp-{uuid4().hex}")
    try:
        path.rename(doomed)
        if doomed.is_dir() and not doomed.is_symlink():
            shutil.rmtree(doomed, ignore_errors=True)
        else:
            doomed.unlink()
    except OSError:
        return False
    return True
