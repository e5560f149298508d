"""Points of localizations and of trace tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.points import points_of
from mfxarray.testing import raise_if_computes
from tests.samples import localizations_of


@pytest.fixture
def data() -> xr.Dataset:
    rng = np.random.default_rng(0)
    return localizations_of(rng.random((20, 3)) * 1e-6, tid=np.repeat([1, 2, 3, 4], 5))


def test_localizations(data: xr.Dataset) -> None:
    selected = np.arange(20) % 3 != 0
    chosen = data.assign(selected=("localization", selected)).chunk(localization=7)
    with raise_if_computes():
        points = points_of(chosen)
    assert points.dim == "localization"
    np.testing.assert_array_equal(points.used.compute(), selected)
    np.testing.assert_array_equal(points.position.compute(), data["position"].values)
    column = points.column(chosen["tid"])
    assert column.chunks == points.used.chunks


def test_what_has_no_finite_place_does_not_count(data: xr.Dataset) -> None:
    data["position"].values[[2, 3], 1] = np.inf, np.nan
    used = points_of(data).used.compute()
    assert np.flatnonzero(~used).tolist() == [2, 3]


def test_a_trace_table(data: xr.Dataset) -> None:
    table = data.mfx.traces()
    points = points_of(table)
    assert points.dim == "trace"
    assert points.used.compute().all()
    np.testing.assert_allclose(
        points.position.compute(), data["position"].values.reshape(4, 5, 3).mean(axis=1)
    )


def test_a_trace_without_place_does_not_count(data: xr.Dataset) -> None:
    table = data.mfx.traces().compute()
    table["centroid"].values[1, 0] = np.nan
    np.testing.assert_array_equal(points_of(table).used.compute(), [True, False, True, True])


def test_a_field_of_other_dimensions(data: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="alone"):
        points_of(data).column(data["position"])


def test_neither() -> None:
    with pytest.raises(ValueError, match="give localizations"):
        points_of(xr.Dataset({"a": ("x", [1])}))
