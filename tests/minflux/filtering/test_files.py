"""Filters come back from files as they were; damaged and hostile files only give DataError."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.minflux.filtering.files import condition_from_dict, load_filters, save_filters
from mfxarray.minflux.filtering.masks import Box, Polygon, Range, Valid, mask_localizations
from mfxarray.minflux.filtering.trace_masks import (
    Dense,
    Settled,
    TraceLength,
    TracePlaces,
    TraceRange,
)
from mfxarray.testing import assert_same_bits
from tests.samples import localization_file

FILTERS = [
    ("valid", Valid()),
    ("efo", Range("efo", 13823.70184744663, 48355.829889892586, closed="left")),
    ("early", Range("cfr", None, 0.8, iteration=3, unmeasured="drop") & ~Valid()),
    ("where", Box(x=(0.0, 1e-6)) | Polygon(((0.0, 0.0), (1e-6, 0.0), (0.0, 1e-6)), ("y", "z"))),
    ("high", Box(z=(None, 1e-7))),
    ("long", TraceLength(4)),
    ("ends", TracePlaces(1, 1, first=3)),
    ("stays", TraceRange("duration", np.float64(0.1), ddof="matlab")),
    ("settled", Settled(2e-8)),
    ("dense", Dense(2e-8, 0.5)),
]


@pytest.fixture(params=["json", "toml"])
def path(tmp_path, request):
    place = tmp_path / f"filters.{request.param}"
    save_filters(FILTERS, place)
    return place


def test_what_comes_back_is_the_same(path):
    assert load_filters(path) == FILTERS
    assert path.stat().st_size < 5000


def test_it_masks_the_same(path, tmp_path):
    ds = mfx.open_minflux(localization_file(tmp_path), chunk_bytes=300_000)
    one, two = (mask_localizations(ds, steps) for steps in (FILTERS, load_filters(path)))
    assert_same_bits(one, two)
    assert one.attrs == two.attrs


def test_files_are_not_overwritten_unasked(path):
    with pytest.raises(FileExistsError):
        save_filters([], path)
    save_filters({"valid": Valid()}, path, overwrite=True)
    assert load_filters(path) == [("valid", Valid())]


def test_every_truncation(path):
    text = path.read_bytes()
    for stop in range(0, len(text) - 2, 7):
        path.write_bytes(text[:stop])
        with pytest.raises(DataError):
            load_filters(path)


def test_random_bytes(path):
    text, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(text)
        for place in rng.integers(0, len(text), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            load_filters(path)
        except DataError:
            continue


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"format": "mfxarray filters", "version": 2, "masks": []},
        {"format": "mfxarray filters", "version": 1},
        {"format": "mfxarray filters", "version": 1, "masks": [3]},
        {"format": "mfxarray filters", "version": 1, "masks": [{"name": "a"}]},
    ],
)
def test_other_json(path, content):
    path.write_text(json.dumps(content))
    with pytest.raises(DataError):
        load_filters(path)


def test_conditions_that_are_none():
    nested = {"kind": "valid"}
    for _ in range(30):
        nested = {"kind": "not", "part": nested}
    for content in (
        nested,
        5,
        {},
        {"kind": "exec"},
        {"kind": "range"},
        {"kind": "valid", "extra": 1},
        {"kind": "range", "field": "efo", "low": "x"},
        {"kind": "polygon", "corners": [[0, 0], [1], [2, 2]]},
    ):
        with pytest.raises((ValueError, TypeError)):
            condition_from_dict(content)


def test_bombs(path):
    path.write_text('{"format": ' + "[" * 100_000)
    with pytest.raises(DataError):
        load_filters(path)
    path.write_text("[" + "1," * 600_000 + "1]")
    with pytest.raises(DataError, match="too large"):
        load_filters(path)


def test_toml_by_hand(tmp_path):
    place = tmp_path / "mine.toml"
    place.write_text(
        """
        format = "mfxarray filters"
        version = 1
        [[masks]]
        name = "bright"
        [masks.condition]
        kind = "range"
        field = "efo"
        low = 14e3
        """
    )
    assert load_filters(place) == [("bright", Range("efo", 14e3))]


def test_a_failed_writing_leaves_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save_filters({"odd": Range("efo", float("-inf"), 1.0)}, path, overwrite=True)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
