"""What exports have in common: which rows count, what washes are called, how rows are cut."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.traces.table import traces
from mfxarray.options import set_options
from mfxarray.stores.export_rows import (
    Field,
    best_position,
    check_numbers,
    cut_alike,
    first_time,
    has_washes,
    kept_rows,
    row_dim_of,
    safe_text,
    wash_labels,
    wash_numbers,
)
from mfxarray.testing import raise_if_computes
from tests.stores import samples
from tests.stores.export_samples import LABELS, used, washes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("220510-Syp_P1", "220510-Syp_P1"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "_=1"),
        ("a\r\nb\x00c", "a__b_c"),
        ("µm ä 漢", "µm ä 漢"),
        ("\u2028\ufeff\ud800", "___"),
        ("x" * 1000, "x" * 120),
    ],
)
def test_text_is_plain(text: str, expected: str) -> None:
    found = safe_text(text)
    assert found == expected
    # whatever it was, it can be written
    assert found.encode().decode() == expected


def test_labels_of_washes() -> None:
    ds, _ = washes()
    table = traces(ds)
    with raise_if_computes():
        assert wash_labels(ds) == LABELS
        assert wash_labels(table) == LABELS
    assert wash_labels(ds.assign_attrs(washes="P1")) == ("P1",)
    twice = ds.assign_attrs(washes=["P1", "P1", "P1_2"])
    assert wash_labels(twice) == ("P1", "P1_2", "P1_2_2")
    assert wash_labels(ds.drop_attrs(deep=False)) == ("wash 0", "wash 1", "wash 2")
    empty = ds.isel(localization=slice(0, 0)).drop_attrs(deep=False)
    assert wash_labels(empty) == ("wash 0",)


def test_one_wash_is_called_as_its_data_set() -> None:
    ds = washes()[0].drop_vars("wash")
    assert not has_washes(ds)
    assert wash_labels(ds.assign_attrs(data_set="cell 3")) == ("cell 3",)
    assert wash_labels(ds.drop_attrs(deep=False)) == ("P1",)
    position = ds["position"].data
    numbers = wash_numbers(ds, position)
    assert numbers.chunks == position.chunks[:1]
    assert (numbers.compute() == 0).all()


def test_numbers_without_a_label_are_refused() -> None:
    check_numbers(np.array([0, 2]), 3)
    check_numbers(np.array([], int), 0)
    with pytest.raises(ValueError, match=r"there is a wash 3, and .* for 0 to 2"):
        check_numbers(np.array([0, 3]), 3)
    with pytest.raises(ValueError, match="there is a wash -1"):
        check_numbers(np.array([0, -1]), 3)


def test_rows_that_count() -> None:
    ds, _ = washes()
    with raise_if_computes():
        keep = kept_rows(ds, ds["position_registered"].data)
    np.testing.assert_array_equal(keep.compute(), used(ds))
    table = traces(ds).compute()
    centroid = da.from_array(table["centroid"].values.copy(), chunks=(9, 3))
    assert kept_rows(table, centroid).all().compute()
    chosen = np.arange(table.sizes["trace"]) % 2 == 0
    some = kept_rows(table.assign(selected=("trace", chosen)), centroid)
    np.testing.assert_array_equal(some.compute(), chosen)
    infinite = centroid.compute()
    infinite[3, 1] = np.inf
    found = kept_rows(table, da.from_array(infinite, chunks=-1)).compute()
    assert np.flatnonzero(~found).tolist() == [3]


def test_the_first_time_that_counts() -> None:
    ds, _ = washes()
    late = ds.assign(selected=ds["selected"] & (np.arange(ds.sizes["localization"]) > 170))
    assert first_time(late) == late["tim"].values[used(late, "position")][0]
    assert first_time(ds.assign(selected=xr.zeros_like(ds["selected"]))) == 0.0
    assert first_time(ds.isel(localization=slice(0, 0))) == 0.0


def test_the_most_corrected_positions_are_the_best() -> None:
    ds, _ = washes()
    assert best_position(ds) == "position_registered"
    corrected = ds.assign(position_drift_corrected=ds["position"])
    assert best_position(corrected.drop_vars("position_registered")) == "position_drift_corrected"
    assert best_position(ds.drop_vars("position_registered")) == "position"
    assert best_position(ds, "position_uncorrected") == "position_uncorrected"
    for name in ("tid", "nothing"):
        with pytest.raises(ValueError, match=f"no positions called '{name}'"):
            best_position(ds, name)


def test_kinds_of_tables() -> None:
    ds, _ = washes()
    assert row_dim_of(ds) == "localization"
    assert row_dim_of(traces(ds)) == "trace"
    with pytest.raises(ValueError, match="has the dimensions frame, detector, y, x"):
        row_dim_of(samples.ions().to_dataset())
    with pytest.raises(ValueError, match="dimensions none"):
        row_dim_of(xr.Dataset())


def test_arrays_are_cut_alike() -> None:
    one = da.ones(100, chunks=(30, 70), dtype="i4")
    two = da.ones((100, 3), chunks=((50, 50), (1, 2)))
    found = cut_alike([one, two])
    assert [array.chunks[0] for array in found] == [(30, 70)] * 2
    assert found[1].chunks[1] == (3,)
    with set_options(chunk_bytes=280):
        cut = cut_alike([da.ones(100, chunks=-1, dtype="i4"), two])
    # 28 bytes a row
    assert [array.chunks[0] for array in cut] == [(10,) * 10] * 2
    assert cut_alike([da.ones(0, chunks=-1)])[0].chunks == ((0,),)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        cut_alike([one[one > 0]])


def test_scaled_fields() -> None:
    field = Field(("a",), da.arange(3, dtype=float))
    assert field.scaled(1.0) is field
    np.testing.assert_array_equal(field.scaled(1e9).data.compute(), [0.0, 1e9, 2e9])
