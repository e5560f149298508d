"""The picture of a drift says what is in the table."""

from __future__ import annotations

import pytest
import xarray as xr

from mfxarray.minflux.drift import estimate_drift
from mfxarray.minflux.drift_report import draw_drift
from tests.minflux.drift_samples import drifting


@pytest.mark.parametrize(("dimensions", "axes"), [(2, "xy"), (3, "xyz")])
@pytest.mark.parametrize("uncertainty", [False, True])
def test_the_titles_carry_the_numbers(dimensions, axes, uncertainty, tmp_path):
    ds, _ = drifting(50, dimensions, traces=600, field_um=1.0)
    found = estimate_drift(ds, window=2500.0, uncertainty=uncertainty)
    figure = draw_drift(found)
    curve, residual, contrast, *_ = figure.axes
    assert [line.get_text() for line in curve.get_legend().get_texts()] == list(axes)
    assert f"{found.sizes['window']} windows" in curve.get_title()
    assert ("95 %" in curve.get_title()) == uncertainty
    assert "6 pairs" in residual.get_title()
    assert curve.get_ylabel() == "drift / nm"
    assert contrast.get_xlabel() == "earlier window"
    figure.savefig(tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 10_000


def test_another_dataset_is_refused():
    with pytest.raises(ValueError, match="this is no drift"):
        draw_drift(xr.Dataset())
