"""``python -m mfxarray``."""

from __future__ import annotations

import sys

from mfxarray.cli import main

if __name__ == "__main__":
    sys.exit(main())
