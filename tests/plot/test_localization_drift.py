"""The picture of a drift says what is in the table."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray import plot
from mfxarray.minflux.drift.estimate import estimate_drift
from tests.minflux.drift_samples import drifting
from tests.plot.looking import drawn, inside


@pytest.mark.parametrize(("dimensions", "axes"), [(2, "xy"), (3, "xyz")])
@pytest.mark.parametrize("uncertainty", [False, True])
def test_the_titles_carry_the_numbers(dimensions, axes, uncertainty, tmp_path):
    ds, _ = drifting(50, dimensions, traces=600, field_um=1.0)
    found = estimate_drift(ds, window=2500.0, uncertainty=uncertainty)
    figure = plot.localization_drift(found)
    curve, residual, contrast, *_ = figure.axes
    assert [line.get_text() for line in curve.get_legend().get_texts()] == list(axes)
    assert f"{found.sizes['window']} windows" in curve.get_title()
    assert ("95 %" in curve.get_title()) == uncertainty
    assert "6 pairs" in residual.get_title()
    assert curve.get_ylabel() == "drift / nm"
    assert contrast.get_xlabel() == "earlier window"
    assert inside(drawn(figure))
    plot.save(figure, tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 10_000


def test_another_dataset_is_refused():
    with pytest.raises(ValueError, match="this is no drift"):
        plot.localization_drift(xr.Dataset())


def test_curves_are_the_drift_in_nm():
    ds, _ = drifting(50, 2, traces=600, field_um=1.0)
    found = estimate_drift(ds, window=2500.0)
    figure = drawn(plot.localization_drift(found, title="a$b"))
    assert figure.get_suptitle() == r"a\$b"
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    for axis in "xy":
        shown = np.asarray(lines[axis].get_ydata()) * 1e-9
        np.testing.assert_allclose(shown, found["drift"].sel(axis=axis).values)
        np.testing.assert_allclose(np.asarray(lines[axis].get_xdata()) * 60, found["time"].values)
    residuals = [line for line in figure.axes[1].get_lines() if line.get_marker() == "."]
    for line, axis in zip(residuals, "xy", strict=True):
        shown = np.asarray(line.get_ydata()) * 1e-9
        np.testing.assert_allclose(shown, found["pair_residual"].sel(axis=axis).values)
