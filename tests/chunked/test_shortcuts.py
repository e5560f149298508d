"""Shortcuts give the same values as the long way."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.chunked import shortcuts
from mfxarray.chunked.shortcuts import remember_selection, select_detectors
from mfxarray.formats.sources import StackSource
from tests.samples import ion_stack


@pytest.fixture
def ions(tmp_path):
    return mfx.open_mims(ion_stack(tmp_path), chunk_bytes=400_000)


def test_without_a_shortcut_it_is_a_slice():
    stack = da.random.default_rng(0).poisson(5, (3, 4, 5, 6), chunks=2)
    np.testing.assert_array_equal(select_detectors(stack, [2, 0]), stack.compute()[:, [2, 0]])


def test_a_shortcut_is_taken_and_forgotten_in_the_end():
    stack = da.ones((1, 2, 3, 4))
    remember_selection(stack, lambda numbers: stack[:, list(numbers)] * 7)
    assert (select_detectors(stack, [1]).compute() == 7).all()
    for number in range(shortcuts._MOST_KNOWN):
        other = da.full((1, 1, 1, 1), number)
        remember_selection(other, lambda numbers, other=other: other)
    assert (select_detectors(stack, [1]).compute() == 1).all()


@pytest.mark.parametrize("numbers", [[0], [6], [3, 1], [0, 1, 2, 3, 4, 5, 6]])
def test_detectors_of_files_and_of_cleaned_stacks(ions, numbers):
    for counts in (ions, ions.mims.remove_hot_pixels()):
        found = select_detectors(counts.data, numbers)
        np.testing.assert_array_equal(found, counts.values[:, numbers])


def test_one_detector_reads_only_its_pixels(tmp_path, monkeypatch):
    pixels = []
    fill = StackSource._fill
    monkeypatch.setattr(
        StackSource,
        "_fill",
        lambda self, part, place: pixels.append(part.size) or fill(self, part, place),
    )
    ions = mfx.open_mims(ion_stack(tmp_path), chunk_bytes=400_000)
    ions.mims.infer_translations("12C", method="seed").compute(scheduler="sync")
    assert sum(pixels) == ions.size // ions.sizes["detector"]
