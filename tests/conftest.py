"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real sample files, or skip where it is not given."""
    folder = os.environ.get("MFXARRAY_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MFXARRAY_DATA_DIR does not name a folder with the real sample files")
    return Path(folder)
