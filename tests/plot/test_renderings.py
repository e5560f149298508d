"""Pictures of rendered images: what is in them, and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.rendering.render import render
from mfxarray.plot.renderings import rendering
from tests.plot.looking import bar, drawn, image, inside, panels


def localizations(n: int = 4000, *, wide: float = 1e-6) -> xr.Dataset:
    rng = np.random.default_rng(0)
    place = rng.uniform(0, wide, (n, 3)) * [1.0, 0.6, 0.2]
    variables = {
        "position": (("localization", "axis"), place),
        "eco": ("localization", rng.integers(100, 200, n).astype(float)),
    }
    coords = {
        "axis": ["x", "y", "z"],
        "tid": ("localization", np.arange(n)),
        "tim": ("localization", np.arange(n) * 0.5, {"units": "s", "long_name": "time $_{"}),
        "wash": ("localization", (np.arange(n) % 2).astype("i4")),
    }
    return xr.Dataset(variables, coords)


def texts(figure) -> str:
    axes = figure.axes[0]
    found = [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
    return "\n".join([*found, *(text.get_text() for text in axes.texts)])


def test_counts() -> None:
    found = render(localizations(), pixel=1e-8)
    figure = rendering(found, title="a$b$_{")
    (axes,) = panels(figure)
    np.testing.assert_array_equal(image(axes), found.values)
    picture = axes.get_images()[0]
    assert picture.origin == "lower"
    left, right, bottom, top = picture.get_extent()
    assert left < 1.0 < right - left + 20
    assert (right - left, top - bottom) == pytest.approx((1000, 600), abs=20)
    assert {"x / nm", "y / nm", "200 nm"} <= set(texts(figure).split("\n"))
    assert "4 000 localizations, pixel 10 nm" in texts(figure)
    assert bar(axes).get_ylabel() == "localizations in a pixel"
    assert inside(figure)


def test_scale_bar_is_as_long_as_it_says() -> None:
    figure = rendering(render(localizations(wide=9e-6), pixel=3e-8))
    axes = figure.axes[0]
    (line,) = axes.get_lines()
    assert np.ptp(line.get_xdata()) == pytest.approx(2.0)
    assert "2 µm" in texts(figure)
    assert "x / µm" in texts(figure)


def test_that_large_images_are_summed() -> None:
    found = render(localizations(), pixel=0.4e-9)
    figure = rendering(found)
    (axes,) = panels(figure)
    shown = image(axes)
    assert shown.shape == tuple(-(-n // 3) for n in found.shape)
    assert shown.sum() == 4000
    assert shown[0, 0] == found.values[:3, :3].sum()
    assert "3 × 3 shown as one" in texts(figure)
    assert bar(axes).get_ylabel() == "localizations in 3 × 3 pixels"


def test_gaussians_and_weights() -> None:
    found = render(localizations(), pixel=1e-8, kind="gaussian", sigma=2e-8, weights="eco")
    figure = rendering(found)
    total = round(float(localizations()["eco"].sum()))
    assert f"sum of eco {total:,}".replace(",", " ") in texts(figure)
    assert texts(figure).split("\n")[0].endswith("Gaussians")
    assert panels(figure)[0].get_images()[0].norm.vmax < found.max()


def test_channels() -> None:
    found = render(localizations(), pixel=2e-8, color="wash")
    figure = rendering(found)
    (axes,) = panels(figure)
    shown = image(axes)
    assert shown.shape == (*found.shape[1:], 3)
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["wash 0: 2 000", "wash 1: 2 000"]
    only = (found.values[0] > 0) & (found.values[1] == 0)
    # the first is blue, the second orange
    assert (shown[only][:, 2] > shown[only][:, 0]).all()
    assert (shown[(found.values == 0).all(axis=0)] == 0).all()
    one = render(localizations(), pixel=2e-8, color="wash", channels=[1])
    assert rendering(one).axes[0].get_legend() is not None
    assert inside(figure)


def test_a_coloured_value() -> None:
    found = render(localizations(), pixel=2e-8, color="depth")
    figure = rendering(found)
    (axes,) = panels(figure)
    assert image(axes).shape == (*found.shape, 3)
    assert bar(axes).get_ylabel() == "z / nm"
    low, high = bar(axes).get_ylim()
    assert 0 < low < 60 < 140 < high < 200
    assert (image(axes)[found.values == 0] == 0).all()
    timed = rendering(render(localizations(), pixel=2e-8, color="time"))
    drawn(timed)
    assert bar(panels(timed)[0]).get_ylabel().startswith(r"time \$_{")
    assert inside(timed)


def test_space_is_coloured_by_depth() -> None:
    ds = localizations()
    solid = rendering(render(ds, pixel=2e-8, axes=("x", "y", "z")))
    plane = rendering(render(ds, pixel=2e-8, color="depth"))
    assert bar(panels(solid)[0]).get_ylabel() == "z / nm"
    both = [image(panels(figure)[0]) for figure in (solid, plane)]
    # depths are those of pixels here and of localizations there
    np.testing.assert_allclose(*both, atol=0.35)
    assert "4 000 localizations" in texts(solid)
    channels = rendering(render(ds, pixel=4e-8, axes=("x", "y", "z"), color="wash"))
    assert image(panels(channels)[0]).shape[2] == 3


def test_other_planes_and_shapes() -> None:
    figure = rendering(render(localizations(), pixel=2e-9, axes=("x", "z")))
    assert {"x / nm", "z / nm"} <= set(texts(figure).split("\n"))
    assert inside(figure)
    tall = rendering(render(localizations(), pixel=5e-9, axes=("z", "x"), color="time"))
    assert inside(tall)
    one = render(localizations(1), pixel=1e-8)
    assert image(panels(rendering(one))[0]).tolist() == [[1.0]]
    empty = render(localizations(5), limits=[(1.0, 1.0 + 1e-7)] * 2)
    drawn(rendering(empty))


def test_what_cannot_be_drawn() -> None:
    found = render(localizations(), pixel=1e-8)
    with pytest.raises(ValueError, match="rendered image"):
        rendering(found.isel(x=0))
    with pytest.raises(ValueError, match="rendered image"):
        rendering(found.drop_vars("x"))
    with pytest.raises(ValueError, match="too many for a picture"):
        rendering(render(localizations(), pixel=1e-11, limits=[(0.0, 1e-6), (0.0, 1e-6)]))
    with pytest.raises(ValueError, match="gamma"):
        rendering(found, gamma=0.0)
