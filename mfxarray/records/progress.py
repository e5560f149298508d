"""How far a conversion is, told to whoever the option ``progress`` names."""

from __future__ import annotations

import sys
import time

from mfxarray.options import get_options

__all__ = ["Teller"]

_SECONDS = 0.2


class Teller:
    """Tells shares of work done, a few times a second, and the end once.

    Parameters
    ----------
    text
        What is being done.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._progress = get_options().progress
        self._next = time.monotonic() + _SECONDS
        self._told = False

    def tell(self, share: float) -> None:
        """Say that this share of the work (0 to 1) is done."""
        if self._progress and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            self._say(min(max(share, 0.0), 1.0))

    def finish(self) -> None:
        """Say that all is done."""
        if self._progress:
            self._say(1.0)
            if self._told:
                sys.stderr.write("\n")

    def _say(self, share: float) -> None:
        if callable(self._progress):
            self._progress(share, self._text)
        elif self._progress:
            sys.stderr.write(f"\r{self._text}: {share:4.0%}")
            sys.stderr.flush()
            self._told = True
