"""The picture of channels: what it shows and says."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from mfxarray.minflux.channels.mixture import assign_channels, choose_components, fit_mixture
from mfxarray.plot.channels import channels
from mfxarray.plot.figures import save
from tests.plot.looking import drawn, inside, panels
from tests.samples import localizations_of


@pytest.fixture(scope="module")
def ds():
    rng = np.random.default_rng(1)
    part = np.arange(900) % 3 // 2
    values = np.array([0.3, 0.7])[part] + 0.05 * rng.standard_normal(900)
    # the second fluorophore is to the right of the first
    place = rng.random((900, 3)) * 1e-6 + part[:, None] * np.array([2e-6, 0, 0])
    return localizations_of(place, dcr=values, efo=1e5 * values).chunk(localization=200)


@pytest.fixture(scope="module")
def fit(ds):
    return fit_mixture(ds, per="localization")


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_histogram_tells_the_numbers(fit):
    figure = channels(fit, title="a$b_run")
    known = fit.compute()
    heading = drawn(figure).get_suptitle()
    assert heading.startswith("a\\$b_run\n2 components of dcr, 900 localizations")
    assert f"wrong one {float(known.misassigned):.1%}" in heading
    (axes,) = figure.axes
    told = legend(axes)
    assert told[0].startswith(f"0: mean {float(known['mean'][0]):.4g} ± ")
    assert told[1].endswith(f"{float(known.fraction[1]):.1%}")
    assert told[3] == f"boundary {float(known.boundary[0]):.4g}"
    assert inside(figure)


def test_curves_are_the_densities(fit):
    (axes,) = channels(fit).axes
    one, other, total = (line.get_ydata() for line in axes.lines[:3])
    x = axes.lines[0].get_xdata()
    np.testing.assert_allclose(one + other, total)
    np.testing.assert_allclose(np.trapezoid(total, x), 1.0, atol=0.01)
    bars = axes.patches[0].get_data()
    np.testing.assert_allclose((bars.values * np.diff(bars.edges)).sum(), 1.0, atol=0.005)
    assert np.abs(np.interp(0.3, x, one) - one.max()) < 0.05 * one.max()


def test_units_are_readable(ds):
    (axes,) = channels(fit_mixture(ds.assign(efo=ds.efo.assign_attrs(units="Hz")), "efo")).axes
    assert axes.get_xlabel() == "efo / kHz"
    assert axes.get_ylabel() == "density / (1/kHz)"
    low, high = axes.get_xlim()
    assert 5 < low < 30 < 70 < high < 110


def test_map_shows_channels_where_they_are(ds, fit):
    named = assign_channels(ds, fit, per="localization", min_confidence=0.9)
    figure = channels(fit, named, title="run")
    (axes,) = panels(figure)
    image = axes.get_images()[0].get_array()
    left, right = (np.asarray(image[:, side].sum(axis=(0, 1))) for side in _halves(image))
    # blue to the left, orange to the right
    assert left[2] > 2 * left[0]
    assert right[0] > 2 * right[2]
    found = named.channel.compute()
    told = legend(axes)
    for channel in (0, 1):
        n = int((found == channel).sum())
        assert told[channel] == f"channel {channel}: {n} localizations, {n / 900:.1%}"
    assert told[2].startswith(f"none: {int((found == -1).sum())} ")
    assert inside(figure)


def _halves(image):
    return slice(0, image.shape[1] // 3), slice(2 * image.shape[1] // 3, None)


def test_a_table_of_traces_has_a_map(ds, fit):
    from mfxarray.minflux.traces.table import traces

    table = traces(ds).load()
    values = fit_mixture(table, "dcr_median").load()
    figure = channels(values, assign_channels(table, values))
    assert legend(panels(figure)[0])[0].endswith("%")
    assert "traces" in legend(panels(figure)[0])[0]


def test_no_boundary_and_one_component(ds):
    rng = np.random.default_rng(0)
    values = np.append(0.5 + 0.02 * rng.standard_normal(400), 0.5 + 0.2 * rng.standard_normal(60))
    near = localizations_of(np.zeros((460, 3)), dcr=values)
    (axes,) = channels(fit_mixture(near, per="localization")).axes
    assert legend(axes)[-1].startswith("no boundary")
    figure = channels(choose_components(near, most=2))
    assert figure.get_suptitle().startswith("1 component of dcr, ")
    assert len(figure.axes[0].lines) == 1


def test_far_values_do_not_squeeze_the_rest():
    values = np.append(np.random.default_rng(0).normal(0, 1, 4000), [400.0])
    far = localizations_of(np.zeros((4001, 3)), size=values)
    (axes,) = channels(fit_mixture(far, "size", bins=4096)).axes
    low, high = axes.get_xlim()
    assert high - low < 40


def test_file(ds, fit, tmp_path):
    save(channels(fit, assign_channels(ds, fit)), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_what_it_is_not(ds, fit):
    with pytest.raises(ValueError, match="fit_mixture"):
        channels(xr.Dataset())
    with pytest.raises(ValueError, match="assign_channels"):
        channels(fit, ds)
    nothing = assign_channels(ds, windows=[(5.0, 6.0)], per="localization")
    with pytest.raises(ValueError, match="nothing to draw"):
        channels(fit, nothing)
    assert isinstance(channels(fit), Figure)
