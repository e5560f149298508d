"""Stores of bytes under keys: a folder, a zip archive, or an archive within an ``.msr`` file."""

from __future__ import annotations

from typing import Protocol

from mfxarray.formats.sources import FileSource

__all__ = ["KeyStore"]


class KeyStore(Protocol):
    """Bytes under relative keys such as ``mfx/.zarray``. Frozen, picklable, no open handle.

    Keys are plain names joined with "/". They are looked up in a table that was made when the
    store was opened, and are never used as paths of a file system without being checked.
    """

    @property
    def source(self) -> FileSource:
        """The file that stands for the store: the archive, or ``mfx/.zarray`` of a folder."""
        ...

    def identity(self) -> str:
        """Return text that differs whenever any value would differ; never made from content."""
        ...

    def keys(self) -> tuple[str, ...]:
        """Return all keys, in the order of the store."""
        ...

    def size(self, key: str) -> int | None:
        """Return the stored bytes of a value, None where there is no such key."""
        ...

    def read(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return a value, or a range of its bytes.

        Raises
        ------
        DataError
            If there is no such key or it cannot be read.
        """
        ...
