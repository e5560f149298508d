"""Hand-made OBF files and MFXDTA archives, put together from the specification."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, field

MAGIC = b"OMAS_BF\n\xff\xff"
STACK_MAGIC = b"OMAS_BF_STACK\n\xff\xff"
# size of the footer of each version of the stack format
FOOTER_SIZES = {1: 124, 1.5: 128, 2: 1408, 3: 1424, 4: 1432, 5: 1452, 6: 1468, 7: 1528, 8: 1600}
V2 = [
    ("vld", "|b1"), ("fnl", "|b1"), ("bot", "|b1"), ("eot", "|b1"), ("sta", "|u1"), ("tim", "<f8"),
    ("tid", "<u4"), ("itr", "<i4"), ("loc", "<f8", (3,)), ("eco", "<u4"), ("cfr", "<f2"),
]  # fmt: skip


@dataclass
class Stack:
    """A stack as it shall lie in the file; lies can be told on purpose."""

    data: bytes
    shape: tuple[int, ...] | None = None
    dt: int = 1
    version: int = 7
    footer: int = 1528
    name: bytes = b""
    description: bytes = b""
    compression: int = 0
    tags: dict[bytes, bytes] = field(default_factory=dict)
    flush: tuple[int, ...] = ()
    block: int = 0
    samples: int | None = None
    chunks: tuple[tuple[int, int], ...] = ()
    least: int = 0
    positions: dict[int, list[float]] = field(default_factory=dict)
    labels: dict[int, list[bytes]] = field(default_factory=dict)
    metadata: bytes = b""
    stored: int | None = None
    next: int | None = None


def tag_dictionary(tags: dict[bytes, bytes]) -> bytes:
    parts = (struct.pack("<I", len(k)) + k + struct.pack("<I", len(v)) + v for k, v in tags.items())
    return b"".join(parts) + bytes(4)


def footer_of(stack: Stack, shape: tuple[int, ...]) -> bytes:
    flags = [int(axis in stack.positions) for axis in range(15)]
    flags += [int(axis in stack.labels) for axis in range(15)]
    tags = tag_dictionary(stack.tags)
    samples = math.prod(shape) if stack.samples is None else stack.samples
    whole = struct.pack("<I30II", stack.footer, *flags, len(stack.metadata)).ljust(1408, b"\7")
    whole += struct.pack("<QQQ", len(stack.flush), stack.block, len(tags))
    whole += struct.pack("<QIQQQ", 0, stack.least, 0, samples, len(stack.chunks))
    found = whole.ljust(max(stack.footer, 1468), b"\0")[: stack.footer]
    found += b"".join(struct.pack("<I", 1) + b"xyzt"[i % 4 : i % 4 + 1] for i in range(len(shape)))
    for values in stack.positions.values():
        found += struct.pack(f"<{len(values)}d", *values)
    for texts in stack.labels.values():
        found += b"".join(struct.pack("<I", len(text)) + text for text in texts)
    if stack.footer >= 128:
        found += stack.metadata
    if stack.footer >= 1424:
        found += struct.pack(f"<{len(stack.flush)}Q", *stack.flush)
    if stack.footer >= 1432:
        found += tags
    if stack.footer >= 1468:
        found += b"".join(struct.pack("<QQ", *pair) for pair in stack.chunks)
    return found


def obf_bytes(
    stacks: list[Stack], version: int = 2, tags: dict[bytes, bytes] | None = None
) -> bytes:
    head = 26 + (8 if version > 1 else 0)
    body = b""
    for number, stack in enumerate(stacks):
        shape = (len(stack.data),) if stack.shape is None else stack.shape
        stored = len(stack.data) if stack.stored is None else stack.stored
        rest = stack.name + stack.description + stack.data
        rest += footer_of(stack, shape) if stack.version else b""
        begin = head + len(body)
        follows = 0 if number == len(stacks) - 1 else begin + 368 + len(rest)
        res = [*shape, *[0] * (15 - len(shape))]
        last = (stack.dt, stack.compression, 1, len(stack.name), len(stack.description))
        body += struct.pack(
            "<16sII15I30d", STACK_MAGIC, stack.version, len(shape), *res, *[1.0] * 30
        )
        body += struct.pack(
            "<5I3Q", *last, 0, stored, follows if stack.next is None else stack.next
        )
        body += rest
    start = struct.pack("<10sIQI", MAGIC, version, head if stacks else 0, 0)
    if version < 2:
        return start + body
    return start + struct.pack("<Q", head + len(body)) + body + tag_dictionary(tags or {})


def archive(
    entries: dict[str, bytes | None], version: int = 3, head: int = 147, end: bytes = bytes(40)
) -> bytes:
    """Return an MFXDTA archive; None makes a directory."""
    found = (b"MFXDTA\0" + struct.pack("<Iq", version, 1_700_000_000))[:head].ljust(head, b"\0")
    for key, value in entries.items():
        name = key.encode("utf-8", "surrogateescape")
        found += struct.pack("<Q", len(name)) + name
        found += b"\1" if value is None else b"\0" + struct.pack("<Q", len(value)) + value
    return found + end


def packed(data: bytes, block: int) -> tuple[bytes, tuple[int, ...]]:
    """Return a zlib stream with a full flush after every block, and the flush points."""
    machine, found, points = zlib.compressobj(6), b"", []
    for start in range(0, len(data), block):
        found += machine.compress(data[start : start + block]) + machine.flush(zlib.Z_FULL_FLUSH)
        points.append(len(found))
    return found + machine.flush(), tuple(points)
