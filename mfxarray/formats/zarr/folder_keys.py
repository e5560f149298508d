"""A folder of files as a store of keys."""

from __future__ import annotations

import hashlib
import os
import stat
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from threading import Lock

from mfxarray.errors import DataError
from mfxarray.formats.sources import FileSource

__all__ = ["FolderKeys", "open_folder"]

# name of a key to size and modification time of its file
Listing = dict[str, tuple[int, int]]

_RECORDS = "mfx/.zarray"
_DEPTH_CAP = 8
_KEY_CAP = 1_000_000
# folders that were looked through in this process; a store that comes back from a worker's task
# finds its list here, and tasks stay small
_KNOWN: dict[tuple[str, str, str], Listing] = {}
_KNOWN_CAP = 16
_LOCK = Lock()
_HINT = "Give the folder that Imspector unpacked: the one with zarr in it, zarr, or zarr/mfx."


@dataclass(frozen=True)
class FolderKeys:
    """The files below a folder under their relative names, pinned to the state at opening.

    Attributes
    ----------
    root
        Absolute path of the folder.
    prefix
        What every key starts with and no file does: "mfx/" for an array folder on its own.
    digest
        Hash of names, sizes and modification times.
    source
        The file ``mfx/.zarray``.

    Notes
    -----
    Travels to a worker as these four; the worker looks through the folder once and refuses it if
    anything changed.
    """

    root: str
    prefix: str
    digest: str
    source: FileSource

    def identity(self) -> str:
        """Return path, and the hash of names, sizes and times, as text."""
        return f"{self.root} {self.prefix} {self.digest}"

    def keys(self) -> tuple[str, ...]:
        """Return all keys in alphabetical order."""
        return tuple(self._listing())

    def size(self, key: str) -> int | None:
        """Return the bytes of a file, None where there is none."""
        found = self._listing().get(key)
        return None if found is None else found[0]

    def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a file's bytes, or a range of them.

        Raises
        ------
        DataError
            If there is no such file, or it changed since the folder was opened.
        """
        found = self._listing().get(key)
        path = os.path.join(self.root, *key.removeprefix(self.prefix).split("/"))
        if found is None:
            raise DataError("is missing", path=self.root, place=f"key {key[:80]}", hint=_HINT)
        size, changed = found
        end = size if stop is None else stop
        return FileSource(path, size, changed).read(start, end - start)

    def _listing(self) -> Listing:
        found = _KNOWN.get((self.root, self.prefix, self.digest))
        if found is not None:
            return found
        found = _scan(self.root, self.prefix)
        if _digest(found) != self.digest:
            message = "changed on disk since it was opened"
            raise DataError(message, path=self.root, hint="Open it again.")
        return _remember(self.root, self.prefix, self.digest, found)


def open_folder(path: str | os.PathLike[str]) -> FolderKeys:
    """Return the keys of an unpacked MINFLUX archive, relative to its folder ``zarr``.

    Parameters
    ----------
    path
        The folder that contains ``zarr``, the folder ``zarr``, or ``zarr/mfx``.

    Raises
    ------
    DataError
        If there is no such archive, or it holds links, devices or more than a million files.

    Notes
    -----
    Lists the folder once (about 3 µs a file) and opens nothing.
    """
    root, prefix = _root(os.path.realpath(os.fspath(path)))
    listing = _scan(root, prefix)
    if _RECORDS not in listing:
        raise DataError("holds no MINFLUX records (mfx/.zarray)", path=root, hint=_HINT)
    size, changed = listing[_RECORDS]
    place = os.path.join(root, *_RECORDS.removeprefix(prefix).split("/"))
    digest = _digest(listing)
    _remember(root, prefix, digest, listing)
    return FolderKeys(root, prefix, digest, FileSource(place, size, changed))


def _root(path: str) -> tuple[str, str]:
    """Return the folder whose files are the keys, and what the keys have in front of the files."""
    if not os.path.isdir(path):
        raise DataError("is no folder", path=path, hint=_HINT)
    parent, name = os.path.split(path)
    if _holds(path, ".zarray"):
        whole = name == "mfx" and _holds(parent, ".zgroup")
        return (parent, "") if whole else (path, "mfx/")
    if _holds(path, "mfx", ".zarray") or _holds(path, ".zgroup"):
        return path, ""
    inner = os.path.join(path, "zarr")
    if os.path.isdir(inner):
        if os.path.islink(inner):
            raise _link(path, "zarr")
        return inner, ""
    raise DataError("holds no unpacked MINFLUX archive", path=path, hint=_HINT)


def _holds(*parts: str) -> bool:
    return os.path.isfile(os.path.join(*parts))


def _scan(root: str, prefix: str) -> Listing:
    """Return size and time of all files below a folder, in the order of their keys."""
    found: Listing = {}
    waiting = [(root, prefix, 1)]
    while waiting:
        folder, start, depth = waiting.pop()
        try:
            with _entries(folder) as entries:
                for entry in entries:
                    key = start + entry.name
                    state = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(state.st_mode) and depth < _DEPTH_CAP:
                        waiting.append((os.path.join(folder, entry.name), f"{key}/", depth + 1))
                        continue
                    if not stat.S_ISREG(state.st_mode):
                        raise _no_file(root, key, state.st_mode)
                    found[key] = state.st_size, state.st_mtime_ns
                    if len(found) > _KEY_CAP:
                        raise DataError(f"holds over {_KEY_CAP} files", path=root, hint=_HINT)
        except OSError as error:
            raise DataError(f"cannot be listed: {error.strerror}", path=folder) from error
    return {key: found[key] for key in sorted(found)}


@contextmanager
def _entries(folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Give what is in a folder; its way is walked once where the system can, not for each file."""
    if os.scandir not in os.supports_fd:
        with os.scandir(folder) as entries:
            yield entries
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)


def _no_file(root: str, key: str, mode: int) -> DataError:
    if stat.S_ISLNK(mode):
        return _link(root, key)
    deep = f"folders deeper than {_DEPTH_CAP} levels"
    message = f"holds {deep if stat.S_ISDIR(mode) else 'something that is no file'}"
    return DataError(message, path=root, place=f"key {key[:80]}", hint=_HINT)


def _link(root: str, key: str) -> DataError:
    message = "holds a symbolic link, which is never followed"
    hint = "Replace the link by what it points to."
    return DataError(message, path=root, place=f"key {key[:80]}", hint=hint)


def _digest(listing: Listing) -> str:
    # no name holds a zero byte
    names = "\0".join(listing).encode("utf-8", "surrogatepass")
    try:
        states = array("q", chain.from_iterable(listing.values())).tobytes()
    except OverflowError:  # a time of the far future
        states = repr(list(listing.values())).encode()
    return hashlib.sha256(names + b"\0\0" + states).hexdigest()


def _remember(root: str, prefix: str, digest: str, listing: Listing) -> Listing:
    with _LOCK:
        while len(_KNOWN) >= _KNOWN_CAP:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[(root, prefix, digest)] = listing
    return listing
