"""Where the records of JSON text begin and end, found by brackets and strings only.

All texts must end with a zero byte, which no part of a record matches, so that no length has to be
checked on the way.
"""

from __future__ import annotations

from numba import njit

__all__ = [
    "BROKEN",
    "DEEP",
    "FULL",
    "LIST_END",
    "MORE",
    "RECORD",
    "RECORD_OR_END",
    "SEPARATOR",
    "after_space",
    "skip_nested",
    "split_records",
]

# what may stand next in a list of records
RECORD_OR_END, RECORD, SEPARATOR = 0, 1, 2
# why splitting stopped: the text ended, the list ended, no more places for records, a byte that
# does not belong there, too many levels
MORE, LIST_END, FULL, BROKEN, DEEP = 0, 1, 2, 3, 4

_SPACES = (32, 10, 9, 13)  # blank, line feed, tab, carriage return
_QUOTE, _BACKSLASH, _COMMA = 34, 92, 44
_OPEN_LIST, _CLOSE_LIST, _OPEN, _CLOSE = 91, 93, 123, 125


@njit(nogil=True, cache=True, error_model="numpy")
def after_space(text, at):  # type: ignore[no-untyped-def]
    """Return the place of the next byte that is no white space."""
    byte = text[at]
    while byte in _SPACES:
        at += 1
        byte = text[at]
    return at


@njit(nogil=True, cache=True, error_model="numpy")
def _after_string(text, at):  # type: ignore[no-untyped-def]
    """Return the place after the closing quote, or that of the zero byte that ends the text."""
    byte = text[at]
    while byte != _QUOTE:
        if byte == _BACKSLASH:
            at += 1
            byte = text[at]
        if byte == 0:
            return at
        at += 1
        byte = text[at]
    return at + 1


@njit(nogil=True, cache=True, error_model="numpy")
def split_records(text, at, expected, depth_cap, starts, ends):  # type: ignore[no-untyped-def]
    """Fill in where the records of a list begin and end.

    Parameters
    ----------
    text
        Bytes, uint8, a zero byte last.
    at
        Where to begin.
    expected
        What may stand there: `RECORD_OR_END`, `RECORD` or `SEPARATOR`.
    depth_cap
        Levels that a record may have.
    starts, ends
        Places to fill, int64; ends are exclusive.

    Returns
    -------
    count : int
        Records found.
    at : int
        Where the splitting stopped: after the closing bracket of the list, at the first byte that
        is not yet used, at the byte that is wrong.
    expected : int
        What may stand there.
    reason : int
        `MORE`, `LIST_END`, `FULL`, `BROKEN` or `DEEP`.
    """
    count, last = 0, len(text) - 1
    while True:
        at = after_space(text, at)
        byte = text[at]
        if at >= last:
            return count, last, expected, MORE
        if byte == _CLOSE_LIST and expected != RECORD:
            return count, at + 1, expected, LIST_END
        if expected == SEPARATOR:
            if byte != _COMMA:
                return count, at, expected, BROKEN
            at, expected = at + 1, RECORD
            continue
        if byte != _OPEN:
            return count, at, expected, BROKEN
        if count == len(starts):
            return count, at, expected, FULL
        end, depth = _record_end(text, at, last, depth_cap)
        if depth > depth_cap:
            return count, end, expected, DEEP
        if depth > 0:
            return count, at, expected, MORE
        starts[count], ends[count] = at, end
        count, at, expected = count + 1, end, SEPARATOR


@njit(nogil=True, cache=True, error_model="numpy")
def _record_end(text, at, last, depth_cap):  # type: ignore[no-untyped-def]
    """Return where the record ends and depth 0, or where reading stopped and the depth there."""
    depth = 0
    while True:
        byte = text[at]
        at += 1
        if byte == _QUOTE:
            at = _after_string(text, at)
        elif byte in (_OPEN, _OPEN_LIST):
            depth += 1
            if depth > depth_cap:
                return at - 1, depth
        elif byte in (_CLOSE, _CLOSE_LIST):
            depth -= 1
            if depth == 0:
                return at, depth
        elif byte == 0 and at > last:
            return last, depth


@njit(nogil=True, cache=True, error_model="numpy")
def skip_nested(text, at, depth, inside, escaped, depth_cap):  # type: ignore[no-untyped-def]
    """Go through a list or object that may begin in an earlier and end in a later text.

    Returns
    -------
    at : int
        After the closing bracket, or the end of the text.
    depth : int
        0 when closed; above ``depth_cap`` when too deep.
    inside, escaped : bool
        Whether a string is open, and whether its next byte is escaped.
    """
    for place in range(at, len(text) - 1):
        byte = text[place]
        if escaped:
            escaped = False
        elif inside:
            escaped = byte == _BACKSLASH
            inside = byte != _QUOTE
        elif byte == _QUOTE:
            inside = True
        elif byte in (_OPEN, _OPEN_LIST):
            depth += 1
            if depth > depth_cap:
                return place, depth, inside, escaped
        elif byte in (_CLOSE, _CLOSE_LIST):
            depth -= 1
            if depth == 0:
                return place + 1, depth, inside, escaped
    return len(text) - 1, depth, inside, escaped
