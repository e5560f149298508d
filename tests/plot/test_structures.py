"""Pictures of pores and filaments: what is drawn, what is told."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Circle

from mfxarray.minflux.structures.filaments import filament_widths
from mfxarray.minflux.structures.pore_average import average_pores
from mfxarray.minflux.structures.pores import accepted_pores, find_pores
from mfxarray.plot import structures
from mfxarray.plot.structures import filament_profiles, pore_average, pore_map, pore_statistics
from tests.minflux.pore_samples import pore_traces
from tests.plot.looking import image, inside, panels
from tests.samples import localizations_of


@pytest.fixture(scope="module")
def data():
    table, _ = pore_traces(pores=16, copies=4, visits=1.0, flat=True, background=3.0)
    return table, find_pores(table)


def circles(axes):
    return [patch for patch in axes.patches if isinstance(patch, Circle)]


def test_a_map_has_every_accepted_circle(data):
    table, pores = data
    figure = pore_map(table, pores, title="cell $1")
    whole, part = figure.axes
    drawn = [patch for patch in circles(whole) if patch.get_linestyle() in ("-", "solid")]
    accepted = accepted_pores(pores)
    radii = sorted(patch.get_radius() for patch in drawn)
    np.testing.assert_allclose(radii, np.sort(accepted["diameter"].values) / 2 * 1e6)
    count = accepted.sizes["pore"]
    rejected = pores.sizes["pore"] - count
    assert whole.get_title() == rf"cell \$1: {count} pores, {rejected} rejected"
    assert sum(text.get_text() == "8" for text in whole.texts) == count
    assert len(whole.collections[0].get_offsets()) == table.sizes["trace"]
    assert part.get_title().startswith("where most pores are")
    assert inside(figure)


def test_of_many_points_a_part_is_drawn(data, monkeypatch):
    monkeypatch.setattr(structures, "_MOST_POINTS", 50)
    monkeypatch.setattr(structures, "_MOST_NAMES", 3)
    whole = pore_map(*data).axes[0]
    assert len(whole.collections[0].get_offsets()) <= 50
    assert "one point in" in whole.get_title()
    assert not any(text.get_text() == "8" for text in whole.texts)


def test_statistics(data):
    figure = pore_statistics(data[1], title="pores")
    sizes, orders, spectrum = figure.axes
    accepted = accepted_pores(data[1])
    median = float(accepted["diameter"].median()) * 1e9
    assert sizes.get_title().startswith(f"median {median:.1f} nm")
    assert sum(bar.get_height() for bar in sizes.patches) == accepted.sizes["pore"]
    heights = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in orders.patches}
    assert heights[8] == accepted.sizes["pore"]
    x, y = spectrum.lines[0].get_data()
    assert x[np.argmax(y)] == 8
    assert inside(figure)


def test_without_pores(data):
    table, pores = data
    none = pores.assign(accepted=pores["accepted"] & False)
    with pytest.raises(ValueError, match="gate_"):
        pore_statistics(none)
    assert pore_map(table, none).axes[0].get_title().startswith("0 pores")
    with pytest.raises(ValueError, match="no point"):
        pore_map(table.isel(trace=slice(0, 0)), pores)


def test_the_average(data):
    average = average_pores(*data).compute()
    figure = pore_average(average, title="mean")
    np.testing.assert_array_equal(image(panels(figure)[0]), average.values)
    radius, density = figure.axes[1].lines[0].get_data()
    assert radius[np.argmax(density)] == pytest.approx(53.5, abs=4)
    assert inside(figure)


def test_profiles():
    rng = np.random.default_rng(0)
    place = np.column_stack([rng.uniform(0, 1e-6, 400), *rng.normal(0, 1e-8, (2, 400))])
    table = filament_widths(localizations_of(place, cluster=np.repeat([3, 4], [150, 250])))
    figure = filament_profiles(table, most=1)
    text = figure.axes[0].get_legend().get_texts()
    assert [one.get_text().split(":")[0] for one in text] == ["4"]
    assert inside(figure)
