"""Compiled kernels made ready once, before workers start that would race for their cache."""

from __future__ import annotations

import numpy as np

__all__ = ["warm_kernels"]

_SIZE = 16


def warm_kernels() -> None:
    """Compile every numba kernel, or load it from its cache, by running it on tiny arrays.

    Notes
    -----
    About 10 s the first time on a machine, 0.5 s later. Several processes that compile the same
    kernel into one empty cache at once may crash, so this runs in one process before the others
    start.
    """
    _warm_moments()
    for dtype in (np.uint16, np.uint32):
        _warm_medians(np.dtype(dtype))
        _warm_hot_pixels(np.dtype(dtype))
    _warm_traces()
    _warm_drift()
    _warm_counting()
    _warm_regions()
    _warm_registration()
    _warm_grouping()
    _warm_json()
    _warm_rendering()
    _warm_channels()
    _warm_resolution()
    _warm_splitting()
    _warm_structures()
    _warm_pairs()
    _warm_tracks()


def _warm_tracks() -> None:
    from mfxarray.kernels import diffusion_likelihood as likely
    from mfxarray.kernels import diffusion_msd as line
    from mfxarray.kernels import displacements as moves
    from mfxarray.kernels.diffusion import covariance_estimates
    from mfxarray.kernels.motion_models import motion_models
    from mfxarray.kernels.track_points import TrackRules, tracks_of
    from mfxarray.kernels.track_shapes import track_shapes

    places, blur = np.random.default_rng(0).random((8, 3)), np.zeros(1)
    tracks = tracks_of(np.arange(8.0), places, np.zeros(1, np.int64), TrackRules())
    steps, sums = moves.steps_of(tracks), moves.step_sums(tracks)
    for estimate in (covariance_estimates, likely.likelihood_estimates):
        estimate(steps, sums, blur, float("nan"))
    likely.likelihood_derivatives(steps, blur, 1.0, 1.0)
    lags = moves.lag_sums(tracks, 3)
    line.msd_estimates(lags, np.full(1, 8), tracks.dimensions, blur, 0, False)
    line.msd_covariance(8, 3, 1.0, 1.0, 1.0)
    moves.bin_sums(tracks, 2, 1.0)
    moves.frame_times(steps)
    moves.jumps(tracks, 1)
    motion_models(steps, 4)
    track_shapes(tracks)


def _warm_pairs() -> None:
    from mfxarray.kernels.box_distances import inside_balls
    from mfxarray.kernels.pair_counts import count_neighbours, count_pairs

    points, labels, own = np.zeros((2, 3)), np.zeros((2, 1), np.uint8), np.ones(2, bool)
    count_pairs(points, labels, own, np.array([0.0, 1.0]), 1)
    count_neighbours(points, labels, own, 1.0, 1)
    inside_balls(np.zeros((1, 2)), np.ones(1), np.zeros(2), np.ones(2))


def _warm_structures() -> None:
    from mfxarray.kernels.angular_order import angular_sites
    from mfxarray.kernels.centrelines import centreline
    from mfxarray.kernels.circles import fit_circles
    from mfxarray.kernels.two_levels import two_levels

    starts = np.zeros(1, np.int64)
    corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    fit_circles(corners, starts)
    angular_sites(corners[:, 0], starts, np.ones(1))
    two_levels(corners[:, 0], starts)
    centreline(corners, 1.0)


def _warm_splitting() -> None:
    from mfxarray.kernels.cluster_shapes import cluster_shapes
    from mfxarray.kernels.mixtures import fit_mixture, mixture_from, responsibilities
    from mfxarray.kernels.trace_labels import METHODS, SplitRules, run_spreads, split_runs
    from mfxarray.kernels.variational import fit_variational, variational_from

    points, one = np.arange(12.0).reshape(4, 3), np.zeros(1, np.int64)
    run_spreads(points, one)
    for method in METHODS:
        split_runs(points, points[:, 0], (one, one), one, SplitRules(method), 0.0, np.ones(1))
    resp = np.full((4, 2), 0.5)
    responsibilities(points, mixture_from(points, resp))
    fit_mixture(points, 2, start="random")
    variational_from(points, resp, weight_prior=1.0)
    fit_variational(points, 2, weight_prior=1.0)
    cluster_shapes(points, one)


def _warm_resolution() -> None:
    from mfxarray.kernels.fourier_rings import Rings, half_spectrum, ring_coefficients, ring_sums
    from mfxarray.kernels.halves import add_half, split_words

    rings = Rings((4, 4), (1.0, 1.0), 0.25, 2)
    spectrum = half_spectrum(np.zeros((4, 4), np.float32))
    ring_sums(spectrum, spectrum, rings)
    ring_coefficients(rings)
    split_words(0, [np.arange(1)])
    image, place = np.zeros((1, 1, 1), np.float32), np.zeros(1, np.int32)
    step = np.zeros(0, np.int32)
    for word in (np.uint8, np.uint16, np.uint32, np.uint64):
        add_half(image, place, np.zeros(1, word), step, bits=(0, 0, 0), split=0, until=0)


def _warm_channels() -> None:
    from mfxarray.kernels.channel_labels import label_by_mixture, run_means, vote_runs
    from mfxarray.kernels.mixture_1d import Binned, fit_gaussians

    values, starts, parts = np.linspace(0.0, 1.0, _SIZE), np.zeros(1, np.int64), np.full(2, 0.5)
    fit_gaussians(Binned(np.ones(_SIZE, np.int64), 0.0, 1.0), 2, starts=1)
    vote_runs(label_by_mixture(values, parts, parts, parts, 0.5), starts, 2, 0.5)
    run_means(values, starts)


def _warm_rendering() -> None:
    from mfxarray.kernels.drawing import Drawing, add_parts, sort_block
    from mfxarray.kernels.grids import Grid, Tiles
    from mfxarray.kernels.rendering import add_points
    from mfxarray.kernels.seed_rendering import seed_stamps

    xyz, yes, amounts = np.zeros((2, 3)), np.ones(2, bool), np.ones((2, 1))
    for axes in (2, 3):
        grid = Grid((0.0,) * axes, (1.0,) * axes, (4,) * axes)
        tiles = Tiles((1 if axes == 2 else 4, 4, 4), (1, 1, 1))
        columns = (2, 1, 0)[-axes:]
        add_points(np.zeros(grid.shape, np.uint32), xyz, yes, columns, grid)
        for sigma in (None, (1.0,) * axes):
            drawing = Drawing(grid, tiles, columns, sigma is not None, sigma, amounts=1)
            parts = sort_block(drawing, (0, tiles.count), yes, xyz, None, amounts, None)
            add_parts(drawing, 0, None, parts[:1])
        seed_stamps(xyz, (1.0,) * axes, columns, grid)


def _warm_json() -> None:
    from mfxarray.kernels.json_numbers import parse_decimals
    from mfxarray.kernels.json_records import FLOAT, parse_records
    from mfxarray.kernels.json_split import RECORD_OR_END, skip_nested, split_records

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


def _warm_moments() -> None:
    from mfxarray.kernels.moments import merge_runs, run_moments, run_starts

    for dtype in (np.int32, np.int64, np.uint32):
        run_starts(np.zeros(2, dtype))
    runs = run_moments(np.zeros((4, 3)), np.zeros(4), np.array([0, 2]))
    merge_runs(runs, np.zeros(2, np.int64), 1)


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


def _warm_traces() -> None:
    from mfxarray.kernels.crb import effective_numbers
    from mfxarray.kernels.moments import run_sums
    from mfxarray.kernels.trace_aggregation import group_starts, weighted_means
    from mfxarray.kernels.trace_density import neighbour_density
    from mfxarray.kernels.trace_known import known_rows
    from mfxarray.kernels.trace_medians import run_medians
    from mfxarray.kernels.trace_settling import first_settled
    from mfxarray.kernels.trace_spreads import trace_spreads

    starts, xyz = np.array([0, 2]), np.zeros((4, 3))
    run_medians(np.zeros(4), starts)
    for dtype in (np.int32, np.int64):
        run_sums(np.zeros(4, dtype), starts)
    known_rows(np.ones(4, bool), xyz)
    trace_spreads(np.ones((2, 10)), 1, np.nan, 1, None)
    trace_spreads(np.ones((2, 10)), 1, np.nan, 1, (0, 1))
    group_starts(np.ones(4), starts, 1.0)
    weighted_means(xyz, np.ones(4), starts)
    first_settled(xyz, starts, 1.0)
    effective_numbers(xyz, starts)
    neighbour_density(xyz, 1.0)


def _warm_drift() -> None:
    from mfxarray.kernels.drift_lags import Search, count_lags
    from mfxarray.kernels.drift_points import Lattice, make_table
    from mfxarray.kernels.drift_shifts import Peak, find_shifts

    peak = Peak(fwhm=1.0, centroid=2.0, search=2, iterations=1, from_maximum=True)
    for dimensions in (2, 3):
        lattice = Lattice(1e-9, dimensions, 4)
        table = make_table(np.zeros((2, 3)), np.arange(2, dtype=np.int32), lattice)
        find_shifts(count_lags(table, lattice, Search(4, 2, 2), (0, 1)), peak)


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
