"""Settings that a user may change for a block of code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

__all__ = ["Options", "Progress", "get_options", "set_options"]

Progress: TypeAlias = bool | Callable[[float, str], object] | None


@dataclass(frozen=True)
class Options:
    """All options with their defaults.

    Attributes
    ----------
    chunk_bytes
        Wished bytes of a block of source data. Threads run best with 8 to 16 MiB,
        a distributed cluster with 32 to 64 MiB; 16 MiB serves both.
    cache_folder
        Folder for what had to be converted or indexed once. None: a folder ``<file>.mfxcache``
        beside the source, or the user's cache folder where that cannot be written.
    scratch_folder
        Folder for what is too large to wait in memory between two steps, as points sorted by place.
        None: the system's temporary folder. Workers on several machines need a shared one.
    progress
        Who hears how far a conversion is: None or False nobody, True a line of text on stderr,
        or a function that is called with the share done (0 to 1) and a text.
    """

    chunk_bytes: int = 16 * 2**20
    cache_folder: str | None = None
    scratch_folder: str | None = None
    progress: Progress = None


# one shared default is safe: Options is frozen
_current: ContextVar[Options] = ContextVar("mfxarray_options", default=Options())  # noqa: B039


def get_options() -> Options:
    """Return the options in force here."""
    return _current.get()


@contextmanager
def set_options(**changes: Any) -> Iterator[Options]:
    """Change options inside a ``with`` block.

    Raises
    ------
    ValueError
        If an option is unknown or its value is not allowed.
    """
    known = {field.name for field in fields(Options)}
    for name in changes:
        if name not in known:
            raise ValueError(f"no option {name!r}; known: {', '.join(sorted(known))}")
    checked = {name: _CHECKS[name](value) for name, value in changes.items()}
    token = _current.set(replace(_current.get(), **checked))
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def _chunk_bytes(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"option 'chunk_bytes' must be positive, not {value!r}")
    return value


def _folder(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError(f"a folder must be a path or None, not {value!r}")
    return os.path.abspath(os.path.expanduser(os.fsdecode(os.fspath(value))))


def _progress(value: Any) -> Progress:
    if value is None or isinstance(value, bool) or callable(value):
        return value
    message = f"option 'progress' must be True, False, None or a function, not {value!r}"
    raise ValueError(message)


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "chunk_bytes": _chunk_bytes,
    "cache_folder": _folder,
    "scratch_folder": _folder,
    "progress": _progress,
}
