"""Opening of hand-made OBF files, and a bound on memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mfxarray.formats.msr.obf import ObfFile, read_obf
from mfxarray.formats.sources import FileSource
from tests.formats.msr.obf_files import Stack, obf_bytes


def opened(folder: Path, raw: bytes, **settings: bool) -> ObfFile:
    path = folder / "a.msr"
    path.write_bytes(raw)
    return read_obf(FileSource.open(path), **settings)


def content(folder: Path, stack: Stack) -> bytes:
    data = opened(folder, obf_bytes([stack])).stacks[0].data()
    return data.read(0, data.size)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < count
