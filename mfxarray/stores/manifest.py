"""The seal: a list of all files of a store, written last, that proves the store is complete.

Its name starts with an underscore because Parquet readers skip such files in a folder. It holds
no time of day, so equal contents give equal seals.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from mfxarray.errors import DataError, IncompleteStoreError
from mfxarray.stores.plain import load_json

__all__ = ["SEAL_NAME", "Seal", "check_sealed", "hash_file", "is_sealed", "read_seal"]

SEAL_NAME = "_mfxarray-seal.json"
FORMAT = 1
_AGAIN = "Write or copy the store again."


@dataclass(frozen=True)
class Seal:
    """What a seal says.

    Attributes
    ----------
    kind
        "zarr" or "parquet".
    version
        The mfxarray that wrote the store.
    identity
        `mfxarray.provenance.identity` of the contents.
    files
        Relative path and bytes of every file, sorted.
    hashes
        sha256 of the metadata files (``*.json``), which carry no checksum of their own.
    extra
        What the writer adds, JSON-able.
    """

    kind: str
    version: str
    identity: str
    files: tuple[tuple[str, int], ...]
    hashes: dict[str, str]
    extra: dict[str, Any]

    def to_json(self) -> str:
        """Return the text of the seal file, with a hash over all the rest."""
        body = {
            "format": FORMAT,
            "kind": self.kind,
            "mfxarray": self.version,
            "identity": self.identity,
            "extra": self.extra,
            "files": [list(entry) for entry in self.files],
            "hashes": self.hashes,
        }
        return json.dumps({**body, "sha256": _hash(body)}, indent=0, sort_keys=True)


def _hash(body: Mapping[str, Any]) -> str:
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Tell whether a folder has a seal; whether the seal is true tells `check_sealed`."""
    return Path(path, SEAL_NAME).is_file()


def read_seal(path: str | os.PathLike[str]) -> Seal:
    """Return the seal of a store without looking at the files it lists.

    Raises
    ------
    DataError
        If there is no folder at ``path``.
    IncompleteStoreError
        If the store has no seal, or a damaged one.
    """
    store = Path(path)
    if not store.is_dir():
        raise DataError("is not a store: there is no folder", path=store, hint="Check the path.")
    try:
        text = (store / SEAL_NAME).read_bytes()
    except FileNotFoundError as error:
        hint = "Its writing never finished, or another program wrote it. " + _AGAIN
        raise IncompleteStoreError(f"has no seal {SEAL_NAME}", path=store, hint=hint) from error
    body = load_json(text, store / SEAL_NAME, IncompleteStoreError)
    return _parse(body, store)


def _parse(body: dict[str, Any], store: Path) -> Seal:
    stated = body.pop("sha256", None)
    if stated != _hash(body):
        raise IncompleteStoreError("its seal is damaged (wrong sha256)", path=store, hint=_AGAIN)
    if body.get("format") != FORMAT:
        message = f"its seal has format {body.get('format')!r}; this version reads {FORMAT}"
        raise IncompleteStoreError(message, path=store, hint="Update mfxarray.")
    try:
        files = tuple((_inside(name, store), int(size)) for name, size in body["files"])
        hashes = {_inside(name, store): str(text) for name, text in body["hashes"].items()}
        kind, version, label = (str(body[key]) for key in ("kind", "mfxarray", "identity"))
        return Seal(kind, version, label, files, hashes, dict(body["extra"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise IncompleteStoreError("its seal is damaged", path=store, hint=_AGAIN) from error


def _inside(name: object, store: Path) -> str:
    parts = PurePosixPath(str(name))
    if parts.is_absolute() or ".." in parts.parts:
        raise IncompleteStoreError(
            f"its seal lists a file outside the store: {name!r}", path=store, hint=_AGAIN
        )
    return str(name)


def check_sealed(path: str | os.PathLike[str], *, kind: str | None = None) -> Seal:
    """Return the seal of a store after comparing it with the files that are there.

    Parameters
    ----------
    path
        Folder of the store.
    kind
        "zarr" or "parquet", where only that will do.

    Raises
    ------
    DataError
        If there is no folder, or it holds another kind of store.
    IncompleteStoreError
        If there is no seal, or a listed file is missing, of another size, or a link, or metadata
        were changed.

    Notes
    -----
    Costs one ``lstat`` per file and reads the metadata files; the data are protected by the
    checksums of Zarr and Parquet, which are checked when they are read.
    """
    seal = read_seal(path)
    if kind is not None and seal.kind != kind:
        raise DataError(f"is a {seal.kind} store, not {kind}", path=path, hint="Open it as such.")
    wrong = [text for name, size in seal.files if (text := _fault(Path(path, name), name, size))]
    if not wrong:
        wrong = [
            f"file {name} was changed"
            for name, text in seal.hashes.items()
            if hash_file(Path(path, name)) != text
        ]
    if wrong:
        more = "" if len(wrong) == 1 else f" and {len(wrong) - 1} more"
        raise IncompleteStoreError(f"is damaged: {wrong[0]}{more}", path=path, hint=_AGAIN)
    return seal


def hash_file(path: Path) -> str:
    """Return the sha256 of a small file."""
    return sha256(path.read_bytes()).hexdigest()


def _fault(path: Path, name: str, size: int) -> str | None:
    try:
        state = os.lstat(path)
    except OSError:
        return f"file {name} is missing"
    if not stat.S_ISREG(state.st_mode):
        return f"{name} is not a regular file"
    if state.st_size != size:
        return f"file {name} has {state.st_size} bytes, the seal says {size}"
    return None
