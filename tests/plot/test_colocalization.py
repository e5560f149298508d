"""The picture of colocalization says what is in the tables."""

from __future__ import annotations

import numpy as np
import pytest

from mfxarray.minflux.colocalization.channel_distances import channel_distances
from mfxarray.minflux.colocalization.colocalize import colocalize
from mfxarray.minflux.colocalization.nulls import correlation_null
from mfxarray.minflux.colocalization.pair_correlation import pair_correlation
from mfxarray.plot.colocalization import colocalization
from mfxarray.plot.figures import save
from tests.minflux.pattern_samples import shared_sites
from tests.plot.looking import drawn, inside


@pytest.fixture(scope="module")
def data():
    return shared_sites((12, 15), 10, np.random.default_rng(0))[0]


@pytest.fixture(scope="module")
def found(data):
    return colocalize(data)


def test_clusters_alone(found, tmp_path):
    figure = colocalization(found, title="cells_$1.npy")
    where, sizes, counts = figure.axes
    title = figure.get_suptitle()
    assert r"cells_\$1.npy" in title
    assert "37 clusters, 10 of several channels (27.0%)" in title
    labels = [text.get_text() for text in where.get_legend().get_texts()]
    assert labels == ["channel 0 only", "channel 1 only", "channels 0 + 1"]
    shown = [len(one.get_offsets()) for one in where.collections]
    assert shown == [0, 12, 15, 10]
    assert where.get_xlabel() == "x / µm"
    assert sizes.get_xlabel() == "size of a cluster / nm"
    lines = [line.get_xdata()[0] for line in sizes.get_lines()]
    assert 30 in np.round(lines, 6)
    assert counts.get_ylabel() == "points of channel 1"
    assert inside(drawn(figure))
    save(figure, tmp_path / "coloc.png")


def test_curves_and_distances(data, found):
    curves = correlation_null(data, r_max=200e-9, bin=10e-9, null="permute", repeats=19)
    near = channel_distances(data.chunk(localization=100))
    figure = colocalization(found, correlation=curves, distances=near)
    within, across, distances = figure.axes[3:]
    assert "95% of 19 dealt anew" in within.get_title()
    np.testing.assert_array_equal(within.get_lines()[1].get_ydata(), curves["g"].values[1, 1])
    np.testing.assert_array_equal(across.get_lines()[0].get_ydata(), curves["g"].values[0, 1])
    (label,) = (text.get_text() for text in across.get_legend().get_texts())
    assert label.startswith("0 – 1: p = 0.05")
    names = [text.get_text() for text in distances.get_legend().get_texts()]
    assert names == ["0 to 0", "0 to 1", "1 to 0", "1 to 1"]
    for place, patch in enumerate(distances.patches):
        np.testing.assert_allclose(patch.get_data().values.sum(), 1, err_msg=str(place))
    assert inside(drawn(figure))


def test_the_histogram_is_that_of_the_distances(data, found):
    near = channel_distances(data).compute()
    figure = colocalization(found, distances=near)
    values, edges, _ = figure.axes[3].patches[1].get_data()
    own = near["channel"].values == 0
    wanted = np.histogram(near["distance"].values[own, 1] * 1e9, edges)[0]
    np.testing.assert_allclose(values, wanted / wanted.sum())


def test_without_null_and_with_shifts(data, found):
    plain = colocalization(found, correlation=pair_correlation(data, r_max=100e-9))
    assert "± 2 deviations" in plain.axes[3].get_title()
    shifted = correlation_null(data, r_max=100e-9, bin=10e-9, null="shift", repeats=9)
    assert "change nothing" in colocalization(found, correlation=shifted).axes[3].get_title()


def test_nothing_to_draw(data):
    figure = colocalization(colocalize(data, eps=1e-13))
    assert "0 clusters" in figure.get_suptitle()
    assert inside(drawn(figure))
    assert inside(drawn(colocalization(colocalize(data, min_localizations=10**6))))


def test_refuses_other_results(data):
    with pytest.raises(ValueError, match="no joint clusters"):
        colocalization(data)
