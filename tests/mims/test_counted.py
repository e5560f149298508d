"""The contract between what makes counts and what takes them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.mims.counted import each, is_raw, join, split, with_variance
from mfxarray.provenance import ATTRIBUTE, history, record
from mfxarray.testing import raise_if_computes
from tests.mims.counted_samples import ion_stack


def corrected() -> xr.Dataset:
    counts = ion_stack()
    halved = counts * 0.5
    return with_variance(halved.assign_attrs(counts.attrs), counts * 0.25)


def test_raw_counts_are_their_own_variance():
    counts = ion_stack()
    found, variance = split(counts)
    assert found is counts
    assert variance is counts
    assert is_raw(counts)


def test_a_dataset_of_raw_counts():
    counts = ion_stack()
    data = xr.Dataset({"counts": counts.drop_attrs(deep=False)}, attrs=counts.attrs)
    found, variance = split(data)
    assert variance is found
    assert found.attrs[ATTRIBUTE] == counts.attrs[ATTRIBUTE]
    again = join(found, variance, data)
    assert list(again) == ["counts"]
    assert is_raw(data)


def test_corrected_counts_go_there_and_back():
    data = corrected()
    with raise_if_computes():
        counts, variance = split(data)
        again = join(counts, variance, data)
    assert not is_raw(data)
    assert counts.attrs["units"] == "counts"
    assert counts.attrs["dead_time_ns"] == data.attrs["dead_time_ns"]
    assert history(counts.attrs) == history(data.attrs)
    xr.testing.assert_identical(again, data)
    assert data["variance"].attrs["units"] == "counts^2"
    assert "units" not in data.attrs


def test_join_gives_the_form_of_the_input():
    counts = ion_stack()
    assert join(counts, counts, counts) is counts
    assert isinstance(join(counts, counts, corrected()), xr.Dataset)


def test_each_treats_both_and_raw_ones_once():
    seen = []

    def doubled(values):
        seen.append(values.name)
        return (values * 2).assign_attrs(record(values.attrs, "double", {}))

    data = corrected()
    found = each(data, doubled)
    assert len(seen) == 2
    np.testing.assert_array_equal(found["variance"], 2 * data["variance"])
    assert [step["step"] for step in history(found.attrs)] == ["open_mims", "double"]
    raw = each(ion_stack(), doubled)
    assert len(seen) == 3
    assert isinstance(raw, xr.DataArray)


def test_corrected_counts_without_their_variance_are_refused():
    with pytest.raises(ValueError, match="pass the whole Dataset"):
        split(corrected()["counts"])


def test_fractions_of_counts_are_still_counts():
    moved = ion_stack().astype(float)
    assert split(moved)[1] is moved


def test_what_is_not_counted_is_refused():
    counts = ion_stack()
    with pytest.raises(ValueError, match="expected ion counts"):
        split((counts / 3.0).drop_attrs())
    with pytest.raises(ValueError, match="variable 'counts'"):
        split(counts.to_dataset(name="ratio"))
    with pytest.raises(ValueError, match="dimensions"):
        split(corrected().assign(variance=corrected()["variance"].isel(frame=0)))
