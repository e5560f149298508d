"""The average of pores."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.structures.pore_average import average_pores, points_in_pores
from mfxarray.minflux.structures.pores import accepted_pores, find_pores
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.minflux.pore_samples import pore_localizations
from tests.samples import four_chunkings


@pytest.fixture(scope="module")
def data():
    ds, true = pore_localizations(pores=60, copies=4, visits=1.0, flat=True)
    return ds, true, find_pores(ds, min_points=20)


def test_corners_meet(data):
    ds, _, pores = data
    aligned = points_in_pores(ds, pores).values
    known = ~np.isnan(aligned[:, 0])
    assert known.all()
    angle = np.arctan2(aligned[:, 1], aligned[:, 0])
    off = np.angle(np.exp(1j * 8 * (angle - np.pi / 8))) / 8
    # 2 nm at 53.5 nm, and that of the fit
    assert off.std() == pytest.approx(2 / 53.5, rel=0.15)
    assert abs(off.mean()) < 0.002
    radius = np.hypot(aligned[:, 0], aligned[:, 1])
    assert radius.mean() * 1e9 == pytest.approx(53.5, abs=0.2)


def test_without_an_order_pores_are_only_shifted(data):
    ds, true, pores = data
    aligned = points_in_pores(ds, pores, order=None).values
    wanted = ds["position"].values - true.centre[true.pore]
    assert np.abs(aligned - wanted).max() < 3e-9


def test_the_image_counts_every_point(data):
    ds, _, pores = data
    with raise_if_computes():
        image = average_pores(ds.chunk(localization=100), pores)
    image = image.compute()
    assert image.shape == (100, 100)
    assert image.dtype == np.int64
    assert int(image.sum()) == ds.sizes["localization"]
    assert image.attrs["pores"] == accepted_pores(pores).sizes["pore"]
    # the corners are where they were put: at 22.5 degrees and every 45 more
    angle = np.pi / 8 + np.arange(8) * np.pi / 4
    corners, between = (
        [image.sel(x=x, y=y, method="nearest").item() for x, y in places(angle + turn)]
        for turn in (0, np.pi / 8)
    )
    assert min(corners) > 20
    assert max(between) == 0


def places(angle):
    return 53.5e-9 * np.column_stack([np.cos(angle), np.sin(angle)])


def test_x_is_to_the_right(data):
    ds, _, pores = data
    one = ds.isel(localization=[0])
    place = points_in_pores(one, pores).values[0] * 1e9
    image = average_pores(one, pores).compute()
    at = image.where(image > 0, drop=True)
    assert at["x"].item() * 1e9 == pytest.approx(place[0], abs=1.01)
    assert at["y"].item() * 1e9 == pytest.approx(place[1], abs=1.01)


def test_same_for_every_chunking(data):
    ds, _, pores = data
    for operation in (points_in_pores, average_pores):
        assert_chunk_invariant(
            lambda part, operation=operation: operation(part, pores),
            four_chunkings(ds, "localization"),
        )


def test_wrong_parameters(data):
    ds, _, pores = data
    with pytest.raises(ValueError, match="order 3"):
        average_pores(ds, pores, order=3)
    with pytest.raises(ValueError, match="pixel"):
        average_pores(ds, pores, pixel=0.0)
