"""Small cache files that are whole or not there: a mark, a hash of the rest, the rest."""

from __future__ import annotations

import os
import uuid
from hashlib import sha256
from pathlib import Path

__all__ = ["read_sealed", "write_sealed"]

_DIGEST_BYTES = 32


def write_sealed(path: Path, magic: bytes, body: bytes) -> None:
    """Write a file under its name in one step.

    Parameters
    ----------
    path
        The file.
    magic
        First bytes, which say what kind of file it is.
    body
        The rest.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left then.
    """
    # `cache_folder.forget_old` knows unfinished caches by this name
    temporary = path.with_name(f"{path.name}.tmp-{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(magic + sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_sealed(path: Path, magic: bytes, cap: int) -> bytes | None:
    """Return the body of a file, None where there is none that is whole.

    Parameters
    ----------
    path, magic
        As for `write_sealed`.
    cap
        Largest body in bytes; of a larger file nothing is read.
    """
    head = len(magic) + _DIGEST_BYTES
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            stored = file.read(size) if size <= head + cap else b""
    except OSError:
        return None
    body = stored[head:]
    return body if stored[:head] == magic + sha256(body).digest() else None
