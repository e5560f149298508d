"""Plain text about data."""

from __future__ import annotations

import dask
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.display import describe, number, safe_text, size_text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "run.npy"
    mfx.simulate_minflux(path, localizations=1500, seed=2)
    return mfx.open_minflux(path, chunk_bytes=1_000_000)


@pytest.fixture(scope="module")
def ions(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "stack.im"
    mfx.simulate_mims(path, frames=5, size=(32, 48), seed=2)
    return mfx.open_mims(path, chunk_bytes=60_000)


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("something was computed")


def test_localizations(run):
    text = describe(run)
    assert text.startswith("MINFLUX localizations\n")
    assert "1 500" in text
    assert "10 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)" in text
    assert "run.npy" in text
    assert "blocks          3 of up to" in text
    assert "1. open_minflux of run.npy" in text


def test_ion_images(ions):
    lines = describe(ions).splitlines()
    assert lines[0] == "Ion images"
    assert "  image           32 x 48 pixels (y, x)" in lines
    assert "  dwell time      1 ms a pixel" in lines
    assert "  date            2024-01-01T00:00" in lines
    detectors = [line.split("  ")[-1] for line in lines if " u " in line]
    assert len(detectors) == 6
    assert any("12C 14N" in line and "26.0031 u" in line for line in lines)


def test_that_nothing_is_computed(run, ions):
    good = run.mfx.filter(efo=(13_000, 48_000))
    clean = ions.mims.remove_hot_pixels()
    shifts = clean.mims.infer_translations("12C 14N")
    with dask.config.set(scheduler=_refuse):
        assert "filter" in describe(good)
        text = describe(clean.mims.apply_translations(shifts))
    assert "translations: infer_translations (" in text
    assert "detector=['12C 14N']" in text
    assert "mask: infer_hot_pixels" in text


def test_the_time_span(run):
    first, last = run["tim"].values[[0, -1]]
    assert f"{first:.3f} s to {last:.3f} s" in describe(run, times=True)
    assert " s to " not in describe(run)
    nothing = run.isel(localization=slice(0, 0))
    assert "localizations   0" in describe(nothing, times=True)


def test_traces_and_other_data(run):
    text = describe(run.mfx.traces())
    assert text.startswith("MINFLUX traces\n")
    assert "4. traces" not in text
    assert "2. traces (ddof=1)" in text
    assert describe(xr.Dataset({"a": ("b", [1, 2])})).startswith("Data\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain µ σ 12C", "plain µ σ 12C"),
        ("\x1b[2Jgone", "?[2Jgone"),
        ("two\nlines\r\t", "two?lines??"),
        ("bell\x07 c1\x9b0m", "bell? c1?0m"),
        ("right\u202eleft", "right?left"),
        ("sep\u2028para\u2029", "sep?para?"),
        ("\ud800", "?"),
        ("", ""),
    ],
)
def test_that_text_cannot_steer_the_terminal(text: str, shown: str):
    assert safe_text(text) == shown


def test_that_long_text_is_cut():
    assert safe_text("a" * 500, 10) == "a" * 9 + "…"
    assert len(safe_text("a" * 500)) == 200


def test_that_text_from_files_is_cleaned(ions):
    evil = ions.assign_attrs(sample="x\x1b]0;owned\x07", comment="a\nb")
    evil = evil.assign_coords(detector=["a\x1b[31m", *ions["detector"].values[1:]])
    text = describe(evil)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "a?b" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")],
)
def test_sizes(value: float, text: str):
    assert size_text(value) == text


def test_numbers():
    assert [number(value) for value in (7, 1234, 1234567)] == ["7", "1 234", "1 234 567"]
