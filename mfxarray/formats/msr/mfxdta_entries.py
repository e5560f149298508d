"""The entries of an MFXDTA archive: a pass over their heads that believes none of them."""

from __future__ import annotations

import re

from mfxarray.errors import DataError
from mfxarray.formats.byte_window import ByteWindow
from mfxarray.formats.msr.obf_data import StackBytes

__all__ = ["DIRECTORY", "FILE", "NAME_CAP", "Entries", "check_key", "fault"]

FILE, DIRECTORY = 0, 1
NAME_CAP = 4096
_DEPTH_CAP = 32
_ENTRY_CAP = 500_000
# an entry's head, so that most need one read of the file
_AHEAD = 64
_PADDING_CHECKED = 64 * 1024
# what nearly all names look like; the others are looked at part by part
_PLAIN = re.compile(r"\.?\w+(?:/\.?\w+)*", re.ASCII)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f:*?"<>|]')
_NUMBER = re.compile(rb"[0-9]+\Z")
_HINT = "The file is damaged or truncated; copy or export it again."


def check_key(name: str) -> str | None:
    """Return what is unsafe about a name of an archive, None if it can be used as a path.

    Parameters
    ----------
    name
        Name with "/" between its parts.
    """
    if name.count("/") >= _DEPTH_CAP:
        return f"has more than {_DEPTH_CAP} parts"
    if _PLAIN.fullmatch(name):
        return None
    if name.startswith("/"):
        return "is an absolute path"
    if _UNSAFE.search(name) or "\\" in name:
        return "holds letters that file systems treat specially"
    # dots and spaces at the end include ".." and ".", and Windows drops the others silently
    if any(not part or part != part.rstrip(". ") for part in name.split("/")):
        return "has a part that is empty or ends in a dot or space"
    return None


def fault(stack: StackBytes, message: str, place: int) -> DataError:
    """Return the error for an archive that is wrong at a byte."""
    where = f"byte {place} of the stack data at offset {stack.offset}"
    return DataError(message, path=stack.source.path, place=where, hint=_HINT)


class Entries:
    """The pass over the heads of the entries.

    Parameters
    ----------
    stack
        Bytes of the archive.
    window
        A window on them.
    strict
        Whether a truncated archive is an error; if not, ``notes`` say so.

    Attributes
    ----------
    rows
        Name -> number of the entry.
    starts, sizes
        First byte and bytes of every entry; size -1 for a directory.
    notes
        What is missing.
    """

    def __init__(self, stack: StackBytes, window: ByteWindow, strict: bool) -> None:
        self.stack, self.window, self.strict = stack, window, strict
        self.rows: dict[str, int] = {}
        self.starts: list[int] = []
        self.sizes: list[int] = []
        self.notes: list[str] = []
        self._raw = b""

    def read(self, place: int) -> int:
        """Fill the lists with the entries from ``place`` on; return where they end.

        Raises
        ------
        DataError
            If a length leaves the archive, or a name is unsafe or there twice.
        """
        while True:
            place = self._run(place)
            try:
                following = self._entry(place)
            except _CutError as error:
                if self.strict:
                    raise fault(self.stack, str(error), place) from None
                self.notes.append(f"{error} ({len(self.rows)} entries are whole)")
                return place
            if following is None:
                return place
            place = following

    def _run(self, place: int) -> int:
        """Take over files that are named like the one before but for a number; return their end.

        Nearly all entries are chunks, named so. Whatever is unusual is left to `_entry`.
        """
        if (number := _NUMBER.search(self._raw)) is None:
            return place
        front, n_front = self._raw[: number.start()], number.start()
        stem = front.decode("utf-8").replace("\\", "/")
        # room for a number that is one digit longer
        ahead = 17 + min(len(self._raw) + 1, NAME_CAP)
        peek, last, rows = self.window.peek, self.window.end, self.rows
        while len(rows) < _ENTRY_CAP:
            try:
                head = peek(place, ahead)
            except DataError:
                return place
            after = 8 + int.from_bytes(head[:8], "little")
            digits = head[8 + n_front : after]
            whole = len(head) >= after + 9 and head[after] == FILE
            if not whole or not digits.isdigit() or not head.startswith(front, 8):
                return place
            start = place + after + 9
            size = int.from_bytes(head[after + 1 : after + 9], "little")
            name = stem + digits.decode("ascii")
            if start + size > last or name in rows:
                return place
            rows[name] = len(rows)
            self.starts.append(start)
            self.sizes.append(size)
            place = start + size
        return place

    def _entry(self, place: int) -> int | None:
        head = self._peek(place, _AHEAD)
        count = int.from_bytes(head[:8], "little")
        if count == 0 or len(head) < 8:
            self._check_end(place, head)
            return None
        if count > NAME_CAP:
            raise fault(self.stack, f"a name of {count} bytes", place)
        if len(head) < 17 + count:
            head = self._peek(place, 17 + count)
        if len(head) < 9 + count:
            raise _CutError("the archive ends inside the name of an entry")
        name = self._name(head[8 : 8 + count], place)
        self._raw, kind = head[8 : 8 + count], head[8 + count]
        if kind not in (FILE, DIRECTORY):
            raise fault(self.stack, f"entry {name[:80]!r} is of kind {kind}", place)
        if kind == DIRECTORY:
            return self._add(name, place + 9 + count, -1)
        start = place + 17 + count
        size = int.from_bytes(head[9 + count : 17 + count], "little")
        if len(head) < 17 + count or start + size > self.window.end:
            have = max(self.window.end - start, 0)
            raise _CutError(f"the archive ends inside {name[:80]!r}: {have} of {size} bytes")
        return self._add(name, start, size)

    def _peek(self, place: int, count: int) -> bytes:
        try:
            return self.window.peek(place, count)
        except DataError as error:
            raise _CutError(error.reason) from error

    def _name(self, raw: bytes, place: int) -> str:
        try:
            name = raw.decode("utf-8").replace("\\", "/")
        except UnicodeDecodeError as error:
            raise fault(self.stack, f"a name is no UTF-8: {raw[:80]!r}", place) from error
        if (unsafe := check_key(name)) is not None:
            raise fault(self.stack, f"the name {name[:80]!r} {unsafe}", place)
        if name in self.rows:
            raise fault(self.stack, f"the entry {name[:80]!r} is there twice", place)
        return name

    def _add(self, name: str, start: int, size: int) -> int:
        if len(self.rows) >= _ENTRY_CAP:
            raise fault(self.stack, f"more than {_ENTRY_CAP} entries", start)
        self.rows[name] = len(self.rows)
        self.starts.append(start)
        self.sizes.append(size)
        return start + max(size, 0)

    def _check_end(self, place: int, head: bytes) -> None:
        if len(head) < 8 and any(head):
            raise _CutError("the archive ends inside the length of a name")
        # a damaged length of a name that reads as 0 must not hide the entries behind it
        count = min(_PADDING_CHECKED, self.window.end - place)
        rest = self._peek(place, count) if count > len(head) else head
        if any(rest):
            raise fault(self.stack, "something follows the end of the entries", place)


class _CutError(Exception):
    """The archive ends inside an entry."""
