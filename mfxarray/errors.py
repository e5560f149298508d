"""The exceptions that mfxarray raises on purpose; every one says what was found and what to do."""

from __future__ import annotations

__all__ = ["ChunkError", "DataError", "IncompleteStoreError", "MfxError", "PlanError"]


class MfxError(Exception):
    """Base of all errors raised on purpose by mfxarray."""


class DataError(MfxError, ValueError):
    """Input that cannot be read as what it claims to be.

    Parameters
    ----------
    message
        What was found, as a sentence without the file name.
    path
        The file or store, named first in the message.
    place
        Where in the file: a byte offset, a field, a row.
    hint
        What the user can do.
    """

    def __init__(
        self,
        message: str,
        *,
        path: object = None,
        place: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.path, self.place, self.hint, self.reason = path, place, hint, message
        where = "" if path is None else f"{path}: "
        at = "" if place is None else f" ({place})"
        todo = "" if hint is None else f" {hint}"
        super().__init__(f"{where}{message}{at}.{todo}")

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments do not survive the default pickling, and workers send errors home
        return (_rebuild, (type(self), self.reason, self.path, self.place, self.hint))


def _rebuild(
    kind: type[DataError], message: str, path: object, place: str | None, hint: str | None
) -> DataError:
    return kind(message, path=path, place=place, hint=hint)


class IncompleteStoreError(DataError):
    """A store whose writing never finished: it has no seal, so some of it may be missing."""


class ChunkError(MfxError, ValueError):
    """Arrays whose chunks do not fit together or do not fit the operation."""


class PlanError(MfxError, ValueError):
    """A plan that would need more memory than allowed."""
