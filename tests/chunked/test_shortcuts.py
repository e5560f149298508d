"""Shortcuts give the same values as the long way."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.chunked import shortcuts
from mfxarray.chunked.shortcuts import (
    remember_iterations,
    remember_selection,
    select_detectors,
    select_iteration,
)
from mfxarray.formats.sources import StackSource
from tests.samples import ion_stack, localization_file


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


def test_an_iteration_without_a_shortcut_is_a_slice():
    field = da.random.default_rng(0).normal(size=(5, 4, 3), chunks=2)
    for number in (0, 3, -1, -4):
        np.testing.assert_array_equal(select_iteration(field, number), field.compute()[:, number])
    for number in (4, -5):
        with pytest.raises(ValueError, match="has 4"):
            select_iteration(field, number)


def test_a_shortcut_to_an_iteration_gets_a_number_from_the_start_and_is_forgotten_in_the_end():
    field = da.zeros((2, 5), chunks=1)
    remember_iterations(field, lambda number: da.full(2, number, chunks=1))
    assert select_iteration(field, -1).compute().tolist() == [4, 4]
    assert select_iteration(field, 2).compute().tolist() == [2, 2]
    for number in range(shortcuts._MOST_ITERATIONS):
        remember_iterations(da.full((1, 1), number), lambda number: da.zeros(1))
    assert select_iteration(field, -1).compute().tolist() == [0, 0]


@pytest.mark.parametrize("masked", [False, True])
def test_iterations_of_files_are_those_of_the_whole_field(tmp_path, masked):
    ds = mfx.open_minflux(localization_file(tmp_path), chunk_bytes=300_000, masked=masked)
    for name, field in ds.data_vars.items():
        if "iteration" not in field.dims:
            continue
        for number in (0, -1):
            found = select_iteration(field.data, number)
            assert (found.dtype, found.chunks[0]) == (field.dtype, field.chunks[0])
            np.testing.assert_array_equal(found, field[:, number].values, err_msg=name)
    if masked:
        assert np.isnan(select_iteration(ds["cfr"].data, -1).compute()).any()


def test_an_iteration_is_not_copied_out_of_the_others(tmp_path, monkeypatch):
    ds = mfx.open_minflux(localization_file(tmp_path), chunk_bytes=300_000)
    copied = []
    array = np.array
    monkeypatch.setattr(
        "mfxarray.formats.localizations.np.array",
        lambda values, **options: copied.append(np.shape(values)) or array(values, **options),
    )
    ds.mfx.last_iteration()["position"].compute(scheduler="sync")
    assert sum(shape[0] for shape in copied if shape[1:] == (3,)) == ds.sizes["localization"]
    assert all(len(shape) < 3 for shape in copied)
