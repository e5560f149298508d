"""The OBF container (Imspector's ``.obf`` and ``.msr``): which stacks a file holds, and where."""

from __future__ import annotations

from dataclasses import replace

from mfxarray.errors import DataError
from mfxarray.formats.byte_window import ByteWindow, file_window
from mfxarray.formats.msr.obf_layout import (
    FILE_HEAD,
    FILE_MAGIC,
    FOOTER_SIZES,
    NEWEST_STACK_VERSION,
    STACK_HEAD,
    Footer,
    StackHead,
    parse_footer,
    parse_stack_head,
)
from mfxarray.formats.msr.obf_stack import ObfFile, ObfStack, Place, damaged
from mfxarray.formats.sources import FileSource

__all__ = ["ObfFile", "ObfStack", "read_obf"]

_AHEAD = 2048
_STACK_CAP, _SMALL_PARTS_CAP = 20_000, 200_000
_TEXT_CAP, _KEY_CAP = 64 * 2**20, 64 * 1024


def read_obf(source: FileSource, strict: bool = True) -> ObfFile:
    """Return version, description, tags and stacks of an OBF file; no data are read.

    Parameters
    ----------
    source
        The file.
    strict
        Refuse a damaged file; if off, the stacks before the damage are given, with notes.

    Raises
    ------
    DataError
        If it is no OBF file, an offset or length leaves the file, or stacks overlap or form a
        loop.

    Notes
    -----
    Reads a few kB a stack.

    References
    ----------
    The format is described at https://imspectordocs.readthedocs.io/en/latest/fileformat.html.
    """
    with file_window(source, ahead=_AHEAD) as window:
        return _Walk(source, window, strict).read()


class _Walk:
    """One pass over the headers of a file, with a budget for the small parts it may hold."""

    def __init__(self, source: FileSource, window: ByteWindow, strict: bool) -> None:
        self.source, self.window, self.strict = source, window, strict
        self.parts_left = _SMALL_PARTS_CAP
        self.notes: list[str] = []

    def read(self) -> ObfFile:
        """Return all stacks of the file, from head to last footer."""
        if self.window.peek(0, len(FILE_MAGIC)) != FILE_MAGIC:
            hint = (
                "Imspector's files of Abberior do. LaVision BioTec ImSpector Pro writes another "
                "format under the same suffix .msr, which is not read."
            )
            message = f"does not start with {FILE_MAGIC!r}"
            raise DataError(message, path=self.source.path, hint=hint)
        _, version, first, count = FILE_HEAD.unpack(self.window.take(0, FILE_HEAD.size))
        if version not in (1, 2):
            raise damaged(self.source, f"OBF version {version}; 1 and 2 are read", 10)
        description = self._text(FILE_HEAD.size, count)
        tags = self._file_tags(FILE_HEAD.size + count) if version > 1 else {}
        stacks = self._stacks(first)
        return ObfFile(self.source, version, description, tags, stacks, tuple(self.notes))

    def _file_tags(self, offset: int) -> dict[str, Place]:
        try:
            place = self._u64(offset)
            return self._tags(place, self.source.size)[0] if place else {}
        except DataError as error:
            self._note(error, "the tags of the file are lost")
            return {}

    def _stacks(self, position: int) -> tuple[ObfStack, ...]:
        found: list[ObfStack] = []
        while position:
            try:
                stack, end = self._stack(position)
            except DataError as error:
                self._note(error, f"stacks from number {len(found) + 1} on are incomplete or lost")
                return (*found, *self._cut_stack(position))
            found.append(stack)
            try:
                position = self._next(stack, end, len(found))
            except DataError as error:
                self._note(error, f"stacks after number {len(found)} are lost")
                break
        return tuple(found)

    def _next(self, stack: ObfStack, end: int, count: int) -> int:
        """Return the offset of the next stack; it only grows, so a walk cannot go in circles."""
        following = stack.head.next_stack
        if following and following < end:
            message = f"the next stack at {following} overlaps this one or forms a loop"
            raise damaged(self.source, message, stack.position)
        if following and count >= _STACK_CAP:
            raise damaged(self.source, f"more than {_STACK_CAP} stacks", stack.position)
        return following

    def _note(self, error: DataError, lost: str) -> None:
        if self.strict:
            raise error
        self.notes.append(f"{error.reason} ({error.place}): {lost}")

    def _cut_stack(self, position: int) -> tuple[ObfStack, ...]:
        """Return the stack inside which the file ends, if its header is whole."""
        try:
            stack = replace(self._head(position), truncated=True)
        except DataError:
            return ()
        return (stack,) if stack.data_offset < self.source.size else ()

    def _head(self, position: int) -> ObfStack:
        head = parse_stack_head(self.window.take(position, STACK_HEAD.size))
        if head is None:
            raise damaged(self.source, "here should be the header of a stack", position)
        place = position + STACK_HEAD.size
        name = self._text(place, head.name_bytes)
        place += head.name_bytes
        description = self._text(place, head.description_bytes)
        place += head.description_bytes
        return ObfStack(self.source, position, name, description, head, place)

    def _stack(self, position: int) -> tuple[ObfStack, int]:
        """Return a stack, and the least offset at which the next may begin."""
        stack = self._head(position)
        end = stack.data_offset + stack.head.data_bytes
        if end > self.source.size:
            raise damaged(
                self.source,
                f"data of {stack.head.data_bytes} bytes leave the file of {self.source.size}",
                stack.data_offset,
            )
        if stack.head.version == 0:
            return stack, end
        stack, end = self._footer(stack, end)
        # other stacks may lie between the pieces of a stack that was written interleaved
        return stack, stack.data_offset if stack.footer.n_chunks else end

    def _footer(self, stack: ObfStack, place: int) -> tuple[ObfStack, int]:
        size = int.from_bytes(self.window.take(place, 4), "little")
        if size < FOOTER_SIZES[0] or place + size > self.source.size:
            raise damaged(self.source, f"a footer of {size} bytes", place)
        footer = parse_footer(self.window.take(place, min(size, FOOTER_SIZES[-1])))
        if footer.least_version > NEWEST_STACK_VERSION:
            message = (
                f"a stack needs a reader of version {footer.least_version}; "
                f"{NEWEST_STACK_VERSION} is read"
            )
            raise damaged(self.source, message, place)
        labels, place = self._labels(stack.head.rank, place + size)
        place = self._skip_columns(stack.head, footer, place)
        metadata = (place, footer.metadata_bytes)
        flush = place + footer.metadata_bytes
        tag_place = flush + 8 * footer.n_flush
        tags: dict[str, Place] = {}
        end = tag_place + footer.tag_bytes
        if footer.tag_bytes and end <= self.source.size:
            tags, _ = self._tags(tag_place, end)
        chunks, end = end, end + 16 * footer.n_chunks
        if end > self.source.size:
            raise damaged(self.source, f"tables and tags end at {end}, outside the file", place)
        found = replace(
            stack,
            footer=footer,
            labels=labels,
            tags=tags,
            metadata=metadata,
            flush_table=flush,
            chunk_positions=chunks,
        )
        return found, end

    def _labels(self, rank: int, place: int) -> tuple[tuple[str, ...], int]:
        found = []
        for _ in range(rank):
            count = self._u32(place)
            found.append(self._text(place + 4, count))
            place += 4 + count
        return tuple(found), place

    def _skip_columns(self, head: StackHead, footer: Footer, place: int) -> int:
        for axis in range(head.rank):
            place += 8 * head.res[axis] if footer.has_positions[axis] else 0
        for axis in range(head.rank):
            for _ in range(head.res[axis] if footer.has_labels[axis] else 0):
                self._spend(place)
                place += 4 + self._u32(place)
        return place

    def _tags(self, place: int, end: int) -> tuple[dict[str, Place], int]:
        found: dict[str, Place] = {}
        while True:
            self._spend(place)
            count = self._u32(place)
            if count == 0 and place + 4 <= end:
                return found, place + 4
            if count > _KEY_CAP or place + 8 + count > end:
                raise damaged(self.source, f"a tag name of {count} bytes", place)
            name = self._text(place + 4, count)
            place += 4 + count
            size = self._u32(place)
            place += 4
            if place + size > end:
                raise damaged(self.source, f"tag {name[:80]!r} of {size} bytes", place)
            found[name] = (place, size)
            place += size

    def _spend(self, place: int) -> None:
        self.parts_left -= 1
        if self.parts_left < 0:
            raise damaged(self.source, "too many tags and labels", place)

    def _text(self, place: int, count: int) -> str:
        if count > _TEXT_CAP:
            raise damaged(self.source, f"a text of {count} bytes", place)
        # names are shown, never used to find anything: a bad letter is no reason to refuse
        return self.window.take(place, count).decode("utf-8", "replace")

    def _u32(self, place: int) -> int:
        return int.from_bytes(self.window.take(place, 4), "little")

    def _u64(self, place: int) -> int:
        return int.from_bytes(self.window.take(place, 8), "little")
