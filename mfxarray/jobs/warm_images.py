"""Compiled kernels of ion images and files, run once on tiny arrays."""

from __future__ import annotations

import numpy as np

__all__ = ["warm_images"]

_SIZE = 16


def warm_images() -> None:
    """Compile them, or load them from the cache."""
    for dtype in (np.uint16, np.uint32):
        _warm_medians(np.dtype(dtype))
        _warm_hot_pixels(np.dtype(dtype))
    _warm_counting()
    _warm_regions()
    _warm_registration()
    _warm_json()
    _warm_grouping()


def _warm_medians(dtype: np.dtype[np.unsignedinteger]) -> None:  # type: ignore[type-arg]
    from mfxarray.kernels.medians import hot_candidates, replace_masked

    frames = np.ones((1, 3, _SIZE, _SIZE), dtype)
    voters = np.arange(3)
    mask = hot_candidates(
        frames,
        voters,
        kernel_size=3,
        outlier_factor=2.0,
        min_count=1.0,
        num_outliers=2,
        num_nonzero=1,
    )
    mask[0, 0, 0] = True
    replace_masked(frames, mask, voters, 3)


def _warm_hot_pixels(dtype: np.dtype[np.unsignedinteger]) -> None:  # type: ignore[type-arg]
    from mfxarray.kernels.hot_poisson import poisson_candidates
    from mfxarray.kernels.medians import local_median
    from mfxarray.kernels.replacements import draw_masked

    frames = np.ones((1, 3, _SIZE, _SIZE), dtype)
    mask = poisson_candidates(
        frames,
        voters=(0, 1, 2),
        false_positives=1e-6,
        outlier_factor=2.0,
        min_count=0.0,
        num_outliers=2,
        num_nonzero=1,
    )
    mask[0, 0, 0] = True
    one = np.zeros(1, np.int64)
    draw_masked(frames, mask, one, radius=1, seed=0, frame_numbers=one, streams=(0,))
    local_median(frames[:, 0], 3)


def _warm_counting() -> None:
    from mfxarray.kernels.counting import EFFICIENCY, Step, correct_block
    from mfxarray.kernels.sums import add_frames

    for dtype in (np.uint16, np.uint32, np.int64, np.float64):
        add_frames(None, np.zeros((1, 4), dtype))
    step = Step(EFFICIENCY, (1.0,))
    correct_block(np.zeros((1, 2, 2)), None, np.arange(1), steps=[step], axis=0)


def _warm_regions() -> None:
    from mfxarray.kernels.outlines import band_areas, polygon_mask
    from mfxarray.kernels.region_sums import Members, sum_regions
    from mfxarray.kernels.segmentation import flood

    pixels, starts = np.arange(2), np.array([0, 2])
    for dtype in (np.uint16, np.uint32, np.int64, np.float64):
        sum_regions(np.ones((1, 2, 2), dtype), Members(pixels, starts, (2, 2)))
    sum_regions(np.ones((1, 2, 2)), Members(pixels, starts, (2, 2), np.ones(2)))
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    polygon_mask([square], (2, 2))
    band_areas(square[None], (2, 2))
    flood(np.zeros((2, 2)), np.eye(2, dtype=np.int32), np.ones((2, 2), bool))


def _warm_registration() -> None:
    import dask.array as da

    from mfxarray.chunked.registration import find_shifts, find_shifts_seed
    from mfxarray.kernels.stabilise import shrink

    planes = np.random.default_rng(0).poisson(5.0, (4, _SIZE, _SIZE))
    # the whole search, not its kernels one by one: then none is forgotten; several blocks, so that
    # the step that joins them runs too
    stack = da.from_array(planes, chunks=(2, -1, -1))
    find_shifts(stack, 2).compute(scheduler="synchronous")
    find_shifts_seed(stack, 2).compute(scheduler="synchronous")
    shrink(np.ones((4, 4), np.float32), 2)


def _warm_json() -> None:
    from mfxarray.kernels.json.numbers import parse_decimals
    from mfxarray.kernels.json.records import FLOAT, parse_records
    from mfxarray.kernels.json.split import RECORD_OR_END, skip_nested, split_records

    parse_decimals(b"1.5\n")
    text = np.frombuffer(bytearray(b'{"a":1}]\0'), np.uint8)
    starts, ends = np.zeros((2, 4), np.int64)
    split_records(text, 0, RECORD_OR_END, 64, starts, ends)
    skip_nested(text, 0, 0, False, False, 64)
    literal, loose = (np.frombuffer(part, np.uint8) for part in (b'{"a":}', b"\1\1\0\0\1\1"))
    one, none, floats = np.ones(1, np.int64), np.zeros(1, np.int64), np.zeros(1)
    whole = floats.view(np.int64)
    # one record with one field, a float that lies behind the fifth byte of the literal
    layout = (literal, loose, 5 * one, FLOAT * one, one, one, none)
    parse_records(text, starts[:1], ends[:1], none, *layout, one, floats, whole)


def _warm_grouping() -> None:
    from mfxarray.kernels.grouping import Scan
    from mfxarray.kernels.record_numbers import RecordKeys

    yes, number = np.ones(2, bool), np.zeros(2, np.int64)
    keys = RecordKeys(yes, yes, number, np.zeros(2, np.uint8), number, number, yes)
    Scan(1, 1).feed(keys, 0)
