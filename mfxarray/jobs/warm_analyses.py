"""Compiled kernels of clusters, channels, structures and tracks."""

from __future__ import annotations

import numpy as np

__all__ = ["warm_analyses"]

_SIZE = 16


def warm_analyses() -> None:
    """Compile them, or load them from the cache."""
    _warm_channels()
    _warm_splitting()
    _warm_structures()
    _warm_pairs()
    _warm_tracks()
    _warm_clusters()


def _warm_channels() -> None:
    from mfxarray.kernels.channels.labels import label_by_mixture, run_means, vote_runs
    from mfxarray.kernels.channels.mixture_1d import Binned, fit_gaussians

    values, starts, parts = np.linspace(0.0, 1.0, _SIZE), np.zeros(1, np.int64), np.full(2, 0.5)
    fit_gaussians(Binned(np.ones(_SIZE, np.int64), 0.0, 1.0), 2, starts=1)
    vote_runs(label_by_mixture(values, parts, parts, parts, 0.5), starts, 2, 0.5)
    run_means(values, starts)


def _warm_splitting() -> None:
    from mfxarray.kernels.clusters.cluster_shapes import cluster_shapes
    from mfxarray.kernels.clusters.mixtures import fit_mixture, mixture_from, responsibilities
    from mfxarray.kernels.clusters.trace_labels import METHODS, SplitRules, run_spreads, split_runs
    from mfxarray.kernels.clusters.variational import fit_variational, variational_from

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


def _warm_structures() -> None:
    from mfxarray.kernels.structures.angular_order import angular_sites
    from mfxarray.kernels.structures.centrelines import centreline
    from mfxarray.kernels.structures.circles import fit_circles
    from mfxarray.kernels.tracking.two_levels import two_levels

    starts = np.zeros(1, np.int64)
    corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    fit_circles(corners, starts)
    angular_sites(corners[:, 0], starts, np.ones(1))
    two_levels(corners[:, 0], starts)
    centreline(corners, 1.0)


def _warm_pairs() -> None:
    from mfxarray.kernels.clusters.box_distances import inside_balls
    from mfxarray.kernels.clusters.pair_counts import count_neighbours, count_pairs

    points, labels, own = np.zeros((2, 3)), np.zeros((2, 1), np.uint8), np.ones(2, bool)
    count_pairs(points, labels, own, np.array([0.0, 1.0]), 1)
    count_neighbours(points, labels, own, 1.0, 1)
    inside_balls(np.zeros((1, 2)), np.ones(1), np.zeros(2), np.ones(2))


def _warm_tracks() -> None:
    from mfxarray.kernels.tracking import diffusion_likelihood as likely
    from mfxarray.kernels.tracking import diffusion_msd as line
    from mfxarray.kernels.tracking import displacements as moves
    from mfxarray.kernels.tracking.diffusion import covariance_estimates
    from mfxarray.kernels.tracking.motion_models import motion_models
    from mfxarray.kernels.tracking.track_points import TrackRules, tracks_of
    from mfxarray.kernels.tracking.track_shapes import track_shapes

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


def _warm_clusters() -> None:
    from mfxarray.kernels.clusters import dbscan
    from mfxarray.kernels.clusters.neighbours import count_within, make_forest, search_nearest

    points, rows = np.arange(12.0).reshape(4, 3), np.arange(4)
    everyone, group = np.ones(4, bool), np.zeros(4, np.int64)
    for groups in (None, group):
        cells = dbscan.cluster_cells(points, 2.0, groups)
        dbscan.core_points(cells, 2.0, 2, everyone)
        component = dbscan.components(cells, 2.0)
        still_open = np.zeros(len(component), bool)
        dbscan.border_clusters(cells, cells, component, still_open, 2.0)
        count_within(points, 2.0, None, groups)
    nearest = np.full((4, 1), np.inf), np.full((4, 1), np.iinfo(np.int64).max)
    search_nearest(make_forest(points, rows, group, 1), points, rows, group, *nearest)
