"""One stack of an OBF file: what its header says, and its bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from mfxarray.errors import DataError
from mfxarray.formats.msr.obf_data import StackBytes, chunk_table
from mfxarray.formats.msr.obf_inflate import BlockTable, check_ratio
from mfxarray.formats.msr.obf_layout import COMPLEX, ITEM_SIZES, Footer, StackHead
from mfxarray.formats.sources import FileSource

__all__ = ["ObfFile", "ObfStack", "Place", "damaged"]

_CHUNK_CAP, _TAG_CAP = 1_000_000, 64 * 2**20
_HINT = "The file is damaged or truncated; copy or export it again."

# offset in the file and bytes
Place = tuple[int, int]


@dataclass(frozen=True)
class ObfStack:
    """One stack of an OBF file: its header and footer, and where its data and tags lie.

    Attributes
    ----------
    source
        The file.
    position
        Offset of the header.
    name, description
        Texts of the header.
    head, footer
        Fixed structures, as stored.
    data_offset
        First byte of the data.
    labels
        Names of the axes, fastest first.
    tags
        Name of a tag -> offset and bytes of its value; see `tag`.
    metadata
        Offset and bytes of the old XML text.
    flush_table, chunk_positions
        Offsets of the two tables.
    truncated
        Whether the file ends inside this stack, so that footer and tags are missing.
    """

    source: FileSource
    position: int
    name: str
    description: str
    head: StackHead
    data_offset: int
    footer: Footer = field(default_factory=Footer, repr=False)
    labels: tuple[str, ...] = ()
    tags: dict[str, Place] = field(default_factory=dict, repr=False)
    metadata: Place = (0, 0)
    flush_table: int = 0
    chunk_positions: int = 0
    truncated: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples of every axis, fastest first; a NumPy shape is its reverse."""
        return self.head.res

    @property
    def sample_bytes(self) -> int | None:
        """Bytes of a sample, None for an unknown type."""
        size = ITEM_SIZES.get(self.head.dtype_code & ~COMPLEX)
        doubled = bool(self.head.dtype_code & COMPLEX)
        return None if size is None else size * (1 + doubled)

    def tag(self, name: str) -> bytes | None:
        """Return the value of a tag, None where there is none."""
        if name not in self.tags:
            return None
        offset, count = self.tags[name]
        if count > _TAG_CAP:
            raise damaged(self.source, f"tag {name[:80]!r} has {count} bytes", offset)
        return self.source.read(offset, count)

    def data(self) -> StackBytes:
        """Return the bytes of the stack as a stream.

        Raises
        ------
        DataError
            If type or compression is unknown, or header and footer contradict the file.
        """
        sample, head = self.sample_bytes, self.head
        if sample is None or head.compression not in (0, 1):
            what = f"type {head.dtype_code:#x}, compression {head.compression}"
            raise damaged(self.source, f"a stack of {what} is not known", self.position)
        product = math.prod(head.res) if head.res else 0
        samples = min(self.footer.samples_written or product, product)
        stored = min(head.data_bytes, self.source.size - self.data_offset)
        whole = StackBytes(
            self.source, self.data_offset, stored, product * sample, samples * sample
        )
        if self.footer.n_chunks:
            return replace(whole, chunks=self._chunks(sample, whole.written))
        if head.compression:
            return replace(whole, blocks=self._blocks(stored, whole.written))
        if stored < whole.written and not self.truncated:
            message = f"{whole.written} bytes of data do not fit in the {stored} that are stored"
            raise damaged(self.source, message, self.position)
        return replace(whole, written=min(stored, whole.written))

    def _blocks(self, stored: int, written: int) -> BlockTable:
        n_flush, block = self.footer.n_flush, self.footer.flush_block
        if n_flush and not block:
            raise damaged(self.source, "flush points without a block size", self.position)
        table = BlockTable(self.data_offset, stored, written, n_flush, block, self.flush_table)
        check_ratio(table, self.source.path)
        return table

    def _chunks(self, sample: int, written: int) -> bytes:
        count = self.footer.n_chunks
        if self.head.compression:
            message = "a stack both compressed and in pieces is not read"
            raise damaged(self.source, message, self.position)
        if count > _CHUNK_CAP or written > self.source.size:
            message = f"{count} pieces with {written} bytes are too many"
            raise damaged(self.source, message, self.position)
        stored = self.source.read(self.chunk_positions, 16 * count)
        return chunk_table(
            stored, offset=self.data_offset, sample=sample, written=written, source=self.source
        )


@dataclass(frozen=True)
class ObfFile:
    """What an OBF file holds.

    Attributes
    ----------
    source
        The file.
    version
        Version of the file format.
    description
        Text of the header.
    tags
        Name of a tag of the file, such as "ome_xml" -> offset and bytes of its value.
    stacks
        The stacks in the order of the file.
    notes
        What is missing of a damaged file that was opened with ``strict=False``.
    """

    source: FileSource
    version: int
    description: str
    tags: dict[str, Place]
    stacks: tuple[ObfStack, ...]
    notes: tuple[str, ...] = ()


def damaged(source: FileSource, message: str, offset: int) -> DataError:
    """Return the error for a file that contradicts itself at an offset."""
    return DataError(message, path=source.path, place=f"offset {offset}", hint=_HINT)
