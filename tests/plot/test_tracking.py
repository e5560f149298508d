"""The page of tracks: what its panels show and say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.tracking.table import track_table
from mfxarray.minflux.tracking.tracking import diffusion, jump_distances, msd
from mfxarray.plot.tracking import tracking
from tests.minflux.track_data import track_data
from tests.plot.looking import drawn, inside


@pytest.fixture(scope="module")
def results():
    _, data = track_data(tracks=120, points=40, kind=("free", "confined"), radius=60e-9)
    both = diffusion(data, per="ensemble").compute()
    jumps = jump_distances(data, localization_sigma=float(both["localization_sigma"]))
    return {"table": track_table(data).compute(), "curve": msd(data), "jumps": jumps, "both": both}


def panel(figure, title):
    (found,) = [axes for axes in figure.axes if axes.get_title().startswith(title)]
    return found


def words(axes) -> str:
    legend = axes.get_legend()
    texts = [*axes.texts, *(legend.get_texts() if legend else [])]
    return " ".join(text.get_text() for text in texts)


def test_all_panels(results):
    figure = tracking(**results, title="a$b_run")
    heading = figure.get_suptitle()
    assert heading.startswith(r"a\$b_run:")
    assert "120 tracks" in heading
    d = float(results["both"]["D"]) * 1e12
    assert f"D = {d:.3f}"[:8] in heading
    assert inside(figure)
    curve = panel(figure, "mean squared")
    points = curve.containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), results["curve"]["msd"] * 1e12)
    np.testing.assert_allclose(points.get_xdata(), results["curve"]["lag_time"] * 1e3)
    assert "anomalous: exponent" in words(curve)
    assert "confined: radius" in words(curve)
    assert curve.get_xlabel().endswith("/ ms")
    assert curve.get_ylabel() == "msd / µm²"
    kinds = panel(figure, "kinds")
    counts = np.bincount(results["table"]["motion"].values + 1, minlength=5)
    widths = [bar.get_width() for bar in kinds.patches]
    assert sorted(widths) == sorted(counts[counts > 0])
    jumps = panel(figure, "jump")
    assert "D = " in words(jumps)
    assert jumps.get_xlabel().endswith("/ nm")


def test_what_is_not_given(results):
    table = results["table"].drop_vars("motion")
    figure = drawn(tracking(table, results["curve"]))
    assert words(panel(figure, "kinds")) == "not told"
    assert words(panel(figure, "jump")) == "not looked at"
    assert inside(figure)


def test_few_tracks():
    _, data = track_data(tracks=2, points=3)
    figure = tracking(track_table(data), msd(data))
    assert inside(figure)
    single = data.isel(localization=[0, 3]).chunk()
    figure = tracking(track_table(single), msd(single))
    assert words(panel(figure, "D of each")) == "no track tells it"
    assert words(panel(figure, "how long")) == "no track lasts"
    assert inside(figure)


def test_something_else():
    with pytest.raises(ValueError, match="track_table"):
        tracking(xr.Dataset(), xr.Dataset())
