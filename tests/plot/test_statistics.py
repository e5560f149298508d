"""The page of statistics: what its panels show and say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import mfxarray as mfx
from mfxarray.minflux.sheet.sheet import statistics
from mfxarray.plot.figures import save
from mfxarray.plot.statistics import statistics as page
from tests.minflux.drift_samples import drifting
from tests.plot.looking import drawn, inside
from tests.samples import localization_file


def sheet_of(folder, **settings):
    path = localization_file(folder, localizations=1500, **settings)
    return statistics(mfx.open_minflux(path), drift=False)


@pytest.fixture(scope="module")
def sheet(tmp_path_factory):
    return sheet_of(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    return sheet_of(tmp_path_factory.mktemp("flat"), dimensions=2)


def panel(figure: Figure, start: str):
    """Return the panel whose title is so, or begins so."""
    titles = {axes.get_title(): axes for axes in figure.axes}
    if start in titles:
        return titles[start]
    (found,) = [axes for title, axes in titles.items() if title.startswith(start)]
    return found


def words(axes) -> str:
    return " ".join(text.get_text() for text in axes.texts)


def test_titles_tell_the_numbers(sheet):
    figure = page(sheet, title="a$b_run")
    known = sheet.compute()
    heading = figure.get_suptitle()
    assert heading.startswith(r"a\$b_run:")
    assert f"{int(known['traces'])} traces" in heading
    assert "3D" in heading
    assert f"valid: {float(known['fraction_valid']):.1%}" in heading
    spread = float(known["sigma_x_median"]) * 1e9
    assert panel(figure, "spread x:").get_title() == f"spread x: median {spread:#.3g} nm"
    mean = float(known["localizations_per_trace_mean"])
    assert panel(figure, "localizations in a").get_title().endswith(f"mean {mean:#.3g}")
    assert panel(figure, "background").get_title().endswith(" kHz")
    events = f"{int(known['traces'])} events in {float(known['duration']) / 60:.1f} min"
    assert panel(figure, events)
    assert inside(figure)


def test_every_panel_has_a_unit_and_its_counts(sheet):
    figure = page(sheet)
    known = sheet.compute()
    labels = {axes.get_xlabel() for axes in figure.axes}
    wanted = {"background / kHz", "time between traces / s", "spread along z / nm", "x / µm"}
    assert wanted <= labels
    place = panel(figure, "t_scan")
    (steps,) = place.patches
    values, edges, _ = steps.get_data()
    np.testing.assert_array_equal(values, known["t_scan_histogram"])
    np.testing.assert_array_equal(edges, known["t_scan_edge"])
    (line,) = place.lines
    assert line.get_xdata()[0] == float(known["t_scan_median"])
    assert f"n = {int(known['t_scan_count'])}" in words(place)
    outside = 1 - int(known["t_scan_histogram"].sum()) / int(known["t_scan_count"])
    assert f"{outside:.1%} outside" in words(place)
    assert panel(figure, "localizations in a").get_yscale() == "log"


def test_the_picture_keeps_all_counts(sheet):
    figure = page(sheet)
    (axes,) = [one for one in figure.axes if one.get_images() and one.get_xlabel() == "x / µm"]
    (drawn_image,) = axes.get_images()
    values = np.asarray(drawn_image.get_array())
    known = sheet["image"].compute()
    assert values.sum() == int(known.sum())
    assert max(values.shape) <= 360
    assert drawn_image.norm.vmax == max(values.max() / 2, 1.0)
    left, _, bottom, _ = drawn_image.get_extent()
    half = known.attrs["pixel_m"] / 2
    np.testing.assert_allclose(left, (float(known["image_x"][0]) - half) * 1e6)
    np.testing.assert_allclose(bottom, (float(known["image_y"][0]) - half) * 1e6)
    assert any("nm" in text.get_text() or "µm" in text.get_text() for text in axes.texts)


def test_what_2d_data_do_not_have(flat):
    figure = drawn(page(flat))
    for title in ("spread z", "error z", "error xyz"):
        assert words(panel(figure, title)) == "not measured"
    assert "2D" in figure.get_suptitle()
    assert words(panel(figure, "FRC")) == "not estimated"
    assert words(panel(figure, "drift")) == "none, see below"
    assert "• drift: not looked for" in figure.get_supxlabel()
    assert "z:" not in figure.get_supxlabel()


def test_how_z_is_scaled(sheet):
    assert "• z: as stored, not scaled" in page(sheet).get_supxlabel()
    scaled = sheet.assign_attrs(z_scaling=0.7)
    assert "• z: scaled by 0.7" in page(scaled).get_supxlabel()


def test_drift_and_frc():
    data, _ = drifting(traces=1000, field_um=1.5, chunks=3000, span=4000.0)
    frequency = np.linspace(0, 2e8, 20)
    curve = ("frequency", np.exp(-frequency / 1e8))
    frc = xr.Dataset(
        {"resolution": 7e-9, "correlation": curve, "threshold": ("frequency", np.full(20, 1 / 7))},
        {"frequency": ("frequency", frequency, {"units": "1/m"})},
    )
    combined = frc.drop_vars("threshold").assign(resolution=1.25e-8)
    found = statistics(data, frc={"localizations": frc, "combined": combined})
    figure = drawn(page(found))
    place = panel(figure, "drift")
    np.testing.assert_allclose(place.lines[1].get_ydata(), found["drift"].sel(axis="y") * 1e9)
    assert len(place.lines) == 2
    assert f"{int(found['drift_windows'])} time windows" in place.get_title()
    assert "nm rms" in words(place)
    place = panel(figure, "FRC")
    assert place.get_title() == "FRC: resolution 7 and 12.5 nm"
    assert place.get_xlabel() == "spatial frequency / (1/nm)"
    assert inside(figure)


def test_drift_in_3d_fits_on_the_page():
    data, _ = drifting(traces=1500, field_um=1.5, dimensions=3, chunks=3000, span=4000.0)
    figure = page(statistics(data))
    assert len(panel(figure, "drift").lines) == 3
    assert inside(figure)


def test_few_localizations():
    rows = {"tid": ("localization", [1, 1, 2]), "tim": ("localization", [0.0, 0.1, 0.05])}
    position = np.array([[0.0, 0, 0], [1, 2, 0], [5, 5, 0]]) * 1e-9
    data = xr.Dataset({"position": (("localization", "axis"), position)}, rows)
    figure = drawn(page(statistics(data)))
    assert words(panel(figure, "spread x")) == "no trace is long enough"
    assert words(panel(figure, "t_scan")) == "too few traces"
    assert words(panel(figure, "cfr")) == "not measured"
    assert panel(figure, "2 events in 0.1 s, 20 events / s")
    assert "valid: unknown" in figure.get_suptitle()
    assert inside(figure)


def test_the_same_file_for_the_same_sheet(flat, tmp_path):
    for name in ("a.png", "b.png"):
        save(page(flat), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_something_else():
    with pytest.raises(ValueError, match="result of statistics"):
        page(xr.Dataset())
