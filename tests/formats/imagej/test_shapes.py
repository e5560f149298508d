"""Single regions of ImageJ; the bytes of the oracle are written by roifile."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import draw

from mfxarray.errors import DataError
from mfxarray.formats.imagej.shapes import decode_roi
from tests.formats.imagej.roi_samples import roi_bytes

SHAPE = (40, 50)


def decoded(**settings):
    return decode_roi(roi_bytes(**settings), "r")


def test_a_rectangle_covers_its_pixels():
    mask = decoded(box=(2, 3, 6, 9)).mask(SHAPE)
    wanted = np.zeros(SHAPE, bool)
    wanted[2:6, 3:9] = True
    np.testing.assert_array_equal(mask, wanted)


def test_a_region_over_the_edge_is_cut_off():
    mask = decoded(box=(-4, 45, 6, 60)).mask(SHAPE)
    wanted = np.zeros(SHAPE, bool)
    wanted[:6, 45:] = True
    np.testing.assert_array_equal(mask, wanted)
    assert not decoded(box=(100, 100, 120, 130)).mask(SHAPE).any()


def test_large_coordinates_are_unsigned():
    roi = decoded(box=(-25536, -25536, -25526, -25506))
    assert roi.box == (40000.0, 40000.0, 10.0, 30.0)


def test_an_oval_is_that_of_scikit_image():
    mask = decoded(kind="oval", box=(4, 6, 25, 39)).mask(SHAPE)
    # centre (14.5, 22.5) from the corner, half axes 10.5 and 16.5; indices are centres
    rows, columns = draw.ellipse(14.0, 22.0, 10.5, 16.5, SHAPE)
    wanted = np.zeros(SHAPE, bool)
    wanted[rows, columns] = True
    np.testing.assert_array_equal(mask, wanted)


def test_exact_boxes():
    roi = decoded(kind="oval", box=(4, 6, 10, 20), four=(6.5, 4.25, 12.0, 5.5), options=128)
    assert roi.box == (4.25, 6.5, 5.5, 12.0)
    older = decoded(
        kind="oval", box=(4, 6, 10, 20), four=(6.5, 4.25, 12, 5), options=128, version=222
    )
    assert older.box == (4, 6, 6, 14)


@pytest.mark.parametrize("kind", ["polygon", "freehand", "traced"])
def test_polygons_are_those_of_scikit_image(kind):
    rng = np.random.default_rng(3)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 17))
    radii = rng.uniform(4, 15, 17)
    exact = np.stack([24.3 + radii * np.cos(angles), 19.7 + radii * np.sin(angles)], axis=1)
    points = np.zeros((17, 2), int)
    roi = decoded(kind=kind, box=(0, 0, 40, 50), points=points, exact=exact)
    assert roi.kind == kind
    wanted = draw.polygon2mask(SHAPE, exact[:, ::-1].astype(np.float32) - 0.5)
    np.testing.assert_array_equal(roi.mask(SHAPE), wanted)


def test_whole_coordinates_count_from_the_box():
    points = np.array([[0, 0], [8, 0], [8, 6], [0, 6]])
    mask = decoded(kind="polygon", box=(3, 5, 9, 13), points=points).mask(SHAPE)
    wanted = np.zeros(SHAPE, bool)
    wanted[3:9, 5:13] = True
    np.testing.assert_array_equal(mask, wanted)


def test_more_points_than_two_bytes_count():
    count = 70_000
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    exact = np.stack([25 + 12 * np.cos(angles), 20 + 12 * np.sin(angles)], axis=1)
    whole = np.zeros((count, 2), int)
    mask = decoded(kind="freehand", points=whole, exact=exact).mask(SHAPE)
    rows, columns = draw.disk((19.5, 24.5), 12, shape=SHAPE)
    wanted = np.zeros(SHAPE, bool)
    wanted[rows, columns] = True
    np.testing.assert_array_equal(mask, wanted)


def test_points_are_their_pixels():
    points = np.array([[0, 0], [4, 1], [4, 1], [60, 2]])
    mask = decoded(kind="points", box=(3, 5, 10, 20), points=points).mask(SHAPE)
    assert sorted(map(tuple, np.argwhere(mask))) == [(3, 5), (4, 9)]
    exact = np.array([[5.99, 3.5], [-0.5, 2.0]])
    mask = decoded(kind="points", points=np.zeros((2, 2), int), exact=exact).mask(SHAPE)
    assert np.argwhere(mask).tolist() == [[3, 5]]


def test_a_tilted_ellipse_has_its_area():
    four = (10.0, 20.0, 40.0, 25.0)
    roi = decoded(kind="freehand", subtype=3, four=four, float52=0.4)
    length = np.hypot(30, 5)
    area = np.pi * length / 2 * length / 2 * 0.4
    assert roi.mask(SHAPE).sum() == pytest.approx(area, rel=0.02)
    assert roi.mask(SHAPE)[22, 25]


def test_a_rotated_rectangle_is_that_of_scikit_image():
    roi = decoded(kind="freehand", subtype=5, four=(10.0, 12.0, 30.0, 27.0), float52=8.0)
    # along (x 20, y 15), length 25; across (x -15, y 20) / 25 * 4
    corners = np.array([[15.2, 7.6], [30.2, 27.6], [23.8, 32.4], [8.8, 12.4]])
    wanted = draw.polygon2mask(SHAPE, corners - 0.5)
    assert np.count_nonzero(roi.mask(SHAPE) != wanted) <= 2  # corners on centres
    assert roi.mask(SHAPE).sum() == pytest.approx(200, abs=6)


def test_rounded_corners_take_away_four_corners():
    roi = decoded(box=(5, 5, 35, 45), arc=20)
    mask = roi.mask(SHAPE)
    assert not mask[5, 5]
    assert not mask[34, 44]
    assert mask[5, 20]
    assert mask[20, 5]
    assert mask.sum() == pytest.approx(30 * 40 - (400 - np.pi * 100), abs=8)


def test_a_composite_has_holes():
    outer = [0, 5, 5, 1, 25, 5, 1, 25, 25, 1, 5, 25, 4]
    inner = [0, 10, 10, 1, 15, 10, 1, 15, 15, 1, 10, 15, 4]
    roi = decoded(box=(5, 5, 25, 25), shape=outer + inner)
    wanted = np.zeros(SHAPE, bool)
    wanted[5:25, 5:25] = True
    wanted[10:15, 10:15] = False
    assert roi.kind == "composite"
    np.testing.assert_array_equal(roi.mask(SHAPE), wanted)


@pytest.mark.parametrize("kind", ["line", "polyline", "freeline", "angle"])
def test_lines_have_no_area(kind):
    points = None if kind == "line" else np.array([[0, 0], [4, 4], [6, 2]])
    roi = decoded(kind=kind, points=points, four=(1.0, 2.0, 9.0, 4.0))
    assert roi.kind == kind
    if kind == "line":
        np.testing.assert_array_equal(roi.outlines[0], [[2, 1], [4, 9]])
    with pytest.raises(ValueError, match="no area"):
        roi.mask(SHAPE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subtype": 1}, "text"),
        ({"kind": "line", "subtype": 2}, "an arrow"),
        ({"subtype": 4}, "an image"),
        ({"kind": "polygon", "points": np.ones((4, 2), int), "options": 1}, "spline"),
        ({"kind": "polygon"}, "of 0 points"),
        ({"kind": "oval", "shape": [0, 1, 1, 4]}, "shape"),
        ({"shape": [7.0, 1.0, 1.0]}, "movement"),
        ({"shape": [0, np.nan, 1, 1, 2, 2, 1, 3, 0]}, "no numbers"),
        ({"kind": "oval", "four": (np.inf, 0, 1, 1), "options": 128}, "no numbers"),
        ({"box": (9, 3, 6, 9)}, "wrong way"),
    ],
)
def test_what_is_refused(settings, words):
    with pytest.raises(DataError, match=words):
        decoded(**settings)


def test_the_stack_position():
    assert decoded(position=7).position == 7


roifile = pytest.importorskip("roifile", reason="roifile is the oracle")


@pytest.mark.parametrize("kind", ["POLYGON", "FREEHAND", "TRACED", "POINT", "POLYLINE"])
@pytest.mark.parametrize("wide", [True, False])
def test_coordinates_are_those_of_roifile(kind, wide):
    points = np.random.default_rng(5).integers(3, 30, (9, 2)) + (0.5 if wide else 0)
    theirs = roifile.ImagejRoi.frompoints(points.astype(np.float32 if wide else np.int32), name="é")
    theirs.roitype = roifile.ROI_TYPE[kind]
    ours = decode_roi(theirs.tobytes(), "r")
    assert ours.name == "é"
    np.testing.assert_array_equal(ours.outlines[0][:, ::-1], theirs.coordinates())


@pytest.mark.parametrize("kind", ["RECT", "OVAL", "LINE"])
def test_boxes_are_those_of_roifile(kind):
    theirs = roifile.ImagejRoi()
    theirs.roitype = roifile.ROI_TYPE[kind]
    theirs.left, theirs.top, theirs.right, theirs.bottom = 4, 5, 30, 20
    theirs.x1, theirs.y1, theirs.x2, theirs.y2 = 1.5, 2.5, 8.0, 9.0
    ours = decode_roi(theirs.tobytes(), "r")
    assert ours.box == (5, 4, 15, 26)
    if kind == "LINE":
        np.testing.assert_array_equal(ours.outlines[0][:, ::-1], theirs.coordinates())


def test_a_composite_is_that_of_roifile():
    theirs = roifile.ImagejRoi()
    theirs.roitype = roifile.ROI_TYPE.RECT
    theirs.multi_coordinates = np.array(
        [0, 1, 2, 1, 9, 2, 1, 9, 8, 4, 0, 20, 20, 1, 30, 20, 1, 30, 30, 4], np.float32
    )
    theirs.shape_roi_size = len(theirs.multi_coordinates)
    ours = decode_roi(theirs.tobytes(), "r")
    for mine, other in zip(ours.outlines, theirs.coordinates(multi=True), strict=True):
        np.testing.assert_array_equal(mine[:, ::-1], other[:-1])
