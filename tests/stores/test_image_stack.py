"""Images as a stack of frames and channels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from mfxarray.stores.image_stack import image_stack, printable
from mfxarray.testing import raise_if_computes
from tests.stores.image_samples import HOSTILE, stack


def test_that_nothing_is_computed() -> None:
    with raise_if_computes():
        found = image_stack(stack())
    assert found.shape == (6, 3, 13, 17)
    assert found.labels == ("12C", "12C 14N", "SE")
    assert found.frames == (1, 3, 5, 7, 9, 11)
    assert found.pixel_um == pytest.approx((0.25, 0.5))
    assert found.first_um == pytest.approx((0.125, 3.25))
    assert found.dtype == np.uint32


def test_that_dimensions_may_come_in_any_order() -> None:
    data = stack()
    mixed = image_stack(data.transpose("x", "detector", "y", "frame"))
    np.testing.assert_array_equal(mixed.parts[0].compute(), data.values)


def test_images_without_frames_or_channels() -> None:
    data = stack()
    one = image_stack(data.isel(frame=0))
    assert one.frames is None
    assert one.shape == (1, 3, 13, 17)
    plain = image_stack(data.isel(frame=0, detector=1))
    assert plain.labels == ("counts",)
    np.testing.assert_array_equal(plain.parts[0][0, 0].compute(), data.values[0, 1])
    assert image_stack(data.isel(detector=1).rename(None)).labels == ("image",)


def test_channels_of_a_dataset() -> None:
    data = stack()
    both = xr.Dataset({"counts": data, "variance": data * 2.0})
    found = image_stack(both)
    assert found.labels[2:4] == ("SE", "12C variance")
    assert found.dtype == np.float64
    image = data.isel(frame=0, detector=0)
    ratio = image_stack(xr.Dataset({"ratio": image, "error": image}))
    assert ratio.labels == ("ratio", "error")


def test_masks_and_colours_are_channels() -> None:
    masks = xr.DataArray(
        np.zeros((2, 4, 5), bool), {"region": ["cell 1", "cell 2"]}, ("region", "y", "x")
    )
    assert image_stack(masks).labels == ("cell 1", "cell 2")
    colours = xr.DataArray(np.zeros((4, 5, 3), "u1"), dims=("y", "x", "channel"))
    assert image_stack(colours).shape == (1, 3, 4, 5)


@pytest.mark.parametrize("coordinate", [[0.0, 1.0, 3.0], [2.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
def test_that_a_scale_is_not_invented(coordinate: list[float]) -> None:
    image = xr.DataArray(np.zeros((3, 3)), {"x": coordinate, "y": [0.0, 1.0, 2.0]}, ("y", "x"))
    assert image_stack(image).pixel_um is None
    assert image_stack(image.drop_vars(["x", "y"])).pixel_um is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (xr.DataArray(np.zeros((2, 3)), dims=("y", "region"), name="a"), "images have y and x"),
        (xr.DataArray(np.zeros((1, 1, 2, 3)), dims=("a", "b", "y", "x")), "one more"),
        (xr.DataArray(np.zeros((2, 3), "c8"), dims=("y", "x")), "images are numbers"),
        (xr.DataArray(np.zeros((0, 3)), dims=("y", "x")), "no pixel"),
        (xr.Dataset(), "no variables"),
    ],
)
def test_what_is_no_image(data: xr.DataArray | xr.Dataset, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        image_stack(data)


def test_that_frames_and_sums_do_not_mix() -> None:
    data = stack()
    with pytest.raises(ValueError, match="another file"):
        image_stack(xr.Dataset({"counts": data, "total": data.sum("frame")}))


@pytest.mark.parametrize("text", HOSTILE)
def test_printable_labels(text: str) -> None:
    found = printable(text)
    assert found.isprintable()
    assert len(found) <= 200
    found.encode("utf-16")
    assert printable("x\ud800") == "x?"
    assert printable("12C 14N") == "12C 14N"


def test_depths_and_metres() -> None:
    places = {
        "z": ("z", [1e-7, 3e-7, 5e-7], {"units": "m"}),
        "y": ("y", np.arange(4) * 2e-9, {"units": "m"}),
        "x": ("x", np.arange(5) * 3.0 + 1, {"units": "nm"}),
    }
    data = xr.DataArray(np.arange(60).reshape(3, 4, 5), places, ("z", "y", "x"), "counts")
    found = image_stack(data)
    assert found.shape == (3, 1, 4, 5)
    assert found.deep
    assert found.frames == (0, 1, 2)
    assert found.depth_um == pytest.approx((0.2, 0.1))
    assert found.pixel_um == pytest.approx((0.002, 0.003))
    assert found.first_um == pytest.approx((0.0, 0.001))
    np.testing.assert_array_equal(found.parts[0][:, 0], data.values)
    channels = image_stack(data.expand_dims(wash=[4, 7]))
    assert channels.shape == (3, 2, 4, 5)
    assert channels.labels == ("4", "7")
    assert image_stack(data.isel(z=0)).frames is None
    with pytest.raises(ValueError, match="not both"):
        image_stack(data.expand_dims("frame"))
