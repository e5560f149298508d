"""Settings that a user may change for a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace

__all__ = ["Options", "get_options", "set_options"]


@dataclass(frozen=True)
class Options:
    """All options with their defaults.

    Attributes
    ----------
    chunk_bytes
        Wished bytes of a block of source data. Threads run best with 8 to 16 MiB,
        a distributed cluster with 32 to 64 MiB; 16 MiB serves both.
    """

    chunk_bytes: int = 16 * 2**20


# one shared default is safe: Options is frozen
_current: ContextVar[Options] = ContextVar("mfxarray_options", default=Options())  # noqa: B039


def get_options() -> Options:
    """Return the options in force here."""
    return _current.get()


@contextmanager
def set_options(**changes: int) -> Iterator[Options]:
    """Change options inside a ``with`` block.

    Raises
    ------
    ValueError
        If an option is unknown or its value is not positive.
    """
    known = {field.name for field in fields(Options)}
    for name, value in changes.items():
        if name not in known:
            raise ValueError(f"no option {name!r}; known: {', '.join(sorted(known))}")
        if value <= 0:
            raise ValueError(f"option {name!r} must be positive, not {value!r}")
    token = _current.set(replace(_current.get(), **changes))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
