"""Fixed structures of the OBF container: the headers and footers of Imspector's files."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "COMPLEX",
    "FILE_HEAD",
    "FILE_MAGIC",
    "FOOTER",
    "FOOTER_SIZES",
    "ITEM_SIZES",
    "MAX_RANK",
    "NEWEST_STACK_VERSION",
    "STACK_HEAD",
    "STACK_MAGIC",
    "Footer",
    "StackHead",
    "parse_footer",
    "parse_stack_head",
]

FILE_MAGIC = b"OMAS_BF\n\xff\xff"
STACK_MAGIC = b"OMAS_BF_STACK\n\xff\xff"
MAX_RANK = 15
NEWEST_STACK_VERSION = 7
COMPLEX = 0x40000000
# bytes of a sample for every type code
ITEM_SIZES = {
    0x1: 1, 0x2: 1, 0x4: 2, 0x8: 2, 0x10: 4, 0x20: 4, 0x40: 4, 0x80: 8,
    0x400: 3, 0x800: 4, 0x1000: 8, 0x2000: 8, 0x10000: 1,
}  # fmt: skip

# magic, version, first stack, length of the description
FILE_HEAD = struct.Struct("<10sIQI")
# magic, version, rank, res, len, off, type, compression, level, name, description, reserved,
# bytes of data on disk, next stack
STACK_HEAD = struct.Struct("<16sII15I15d15dIIIIIQQQ")
# size, has positions, has labels, metadata, (SI units), flush points, flush block, tags, end,
# least version, used end, samples written, chunk positions
FOOTER = struct.Struct("<I15I15II1280xQQQQIQQQ")
# a footer holds all fields that end at or before its size
FOOTER_SIZES = (4, 124, 128, 1408, 1424, 1432, 1452, 1468)


@dataclass(frozen=True)
class StackHead:
    """Header of a stack, as stored.

    Attributes
    ----------
    version, rank
        Version of the stack format and number of dimensions.
    res, lengths, offsets
        Samples, physical length and physical offset of every dimension, fastest first.
    dtype_code, compression, level
        Type of a sample, 0 or 1 for none or zlib, level of zlib.
    name_bytes, description_bytes, data_bytes
        Lengths of what follows the header.
    next_stack
        Offset of the next header, 0 after the last.
    """

    version: int
    rank: int
    res: tuple[int, ...]
    lengths: tuple[float, ...]
    offsets: tuple[float, ...]
    dtype_code: int
    compression: int
    level: int
    name_bytes: int
    description_bytes: int
    data_bytes: int
    next_stack: int


@dataclass(frozen=True)
class Footer:
    """Footer of a stack; 0 where the version of the file has no such field.

    Attributes
    ----------
    size
        Bytes of the footer, wherever its known fields end.
    has_positions, has_labels
        For every dimension whether column positions and labels follow.
    metadata_bytes, tag_bytes
        Lengths of what follows.
    n_flush, flush_block
        Number of flush points and bytes, before compression, between them.
    least_version
        Version that a reader must know.
    samples_written, n_chunks
        Samples on disk (0: all) and number of chunk positions.
    """

    size: int = 0
    has_positions: tuple[int, ...] = (0,) * MAX_RANK
    has_labels: tuple[int, ...] = (0,) * MAX_RANK
    metadata_bytes: int = 0
    n_flush: int = 0
    flush_block: int = 0
    tag_bytes: int = 0
    least_version: int = 0
    samples_written: int = 0
    n_chunks: int = 0


def parse_stack_head(head: bytes) -> StackHead | None:
    """Return the header in these 368 bytes, None where the magic or the rank is wrong."""
    fields = STACK_HEAD.unpack(head)
    version, rank = fields[1], fields[2]
    if fields[0] != STACK_MAGIC or rank > MAX_RANK:
        return None
    res, lengths, offsets = fields[3:18], fields[18:33], fields[33:48]
    kind, compression, level, name, description, _, data, following = fields[48:]
    return StackHead(
        version,
        rank,
        res[:rank],
        lengths[:rank],
        offsets[:rank],
        kind,
        compression,
        level,
        name,
        description,
        data,
        following,
    )


def parse_footer(head: bytes) -> Footer:
    """Return the footer that starts with these bytes, at least 4 and cut to its stored size.

    Notes
    -----
    Fields grew from version to version, and the version number does not always tell: only the
    stored size does. A field that is cut off counts as absent.
    """
    whole = max(size for size in FOOTER_SIZES if size <= len(head))
    fields = FOOTER.unpack(head[:whole].ljust(FOOTER.size, b"\0"))
    metadata, n_flush, block, tags, _, least, _, samples, chunks = fields[31:]
    return Footer(
        size=fields[0],
        has_positions=fields[1:16],
        has_labels=fields[16:31],
        metadata_bytes=metadata,
        n_flush=n_flush,
        flush_block=block,
        tag_bytes=tags,
        least_version=least,
        samples_written=samples,
        n_chunks=chunks,
    )
