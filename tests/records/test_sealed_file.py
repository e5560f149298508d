"""Sealed files are whole or not there."""

from __future__ import annotations

import os
from unittest.mock import patch

import numpy as np
import pytest

from mfxarray.records.sealed_file import read_sealed, write_sealed

MAGIC = b"MFXTRIAL"


@pytest.mark.parametrize("body", [b"", b"some bytes", bytes(10_000)])
def test_what_is_written_comes_back(tmp_path, body):
    write_sealed(tmp_path / "file", MAGIC, body)
    assert read_sealed(tmp_path / "file", MAGIC, 10_000) == body
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_missing_or_of_another_kind(tmp_path):
    write_sealed(tmp_path / "file", MAGIC, b"body")
    assert read_sealed(tmp_path / "nothing", MAGIC, 100) is None
    assert read_sealed(tmp_path, MAGIC, 100) is None
    assert read_sealed(tmp_path / "file", b"MFXOTHER", 100) is None
    assert read_sealed(tmp_path / "file", MAGIC, 3) is None


def test_every_truncation_and_flipped_byte_is_found(tmp_path):
    path = tmp_path / "file"
    write_sealed(path, MAGIC, bytes(range(256)))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_sealed(path, MAGIC, 10_000) is None
    rng = np.random.default_rng(0)
    for place in range(len(whole)):
        bad = bytearray(whole)
        bad[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bad)
        assert read_sealed(path, MAGIC, 10_000) is None
    path.write_bytes(whole + b"0")
    assert read_sealed(path, MAGIC, 10_000) is None


def test_a_failed_write_leaves_nothing(tmp_path):
    for name in ("fsync", "replace"):
        with (
            patch.object(os, name, side_effect=OSError("disk full")),
            pytest.raises(OSError, match="full"),
        ):
            write_sealed(tmp_path / "file", MAGIC, b"body")
    assert os.listdir(tmp_path) == []


def test_a_new_one_replaces_the_old_one(tmp_path):
    for body in (b"old and longer", b"new"):
        write_sealed(tmp_path / "file", MAGIC, body)
    assert read_sealed(tmp_path / "file", MAGIC, 100) == b"new"
