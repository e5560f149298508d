"""Every operation gives the same bits on every scheduler, a cluster of two processes included."""

from __future__ import annotations

import dask
import pytest

import mfxarray as mfx
from mfxarray.jobs.clients import client
from mfxarray.testing import assert_same_bits
from tests.samples import four_chunkings, ion_stack, localization_file


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("invariance")
    return mfx.open_minflux(localization_file(folder), chunk_bytes=1_000_000)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return mfx.open_mims(ion_stack(tmp_path_factory.mktemp("invariance")), chunk_bytes=500_000)


def localization_results(ds):
    """Return the result of every operation on localizations."""
    filtered = ds.mfx.filter(efo=(13_000, 48_000), cfr=(None, 0.8))
    good = filtered.mfx.compact()
    return {
        "filter": filtered[["selected"]],
        "compact": good,
        "last": good.mfx.last_iteration(),
        "traces": good.mfx.traces(),
        "traces of all": ds.mfx.traces(ddof=0),
        "scaled": ds.mfx.scale_z(0.7)[["position"]],
        **{f"photons, {which}": ds.mfx.photons(which) for which in ("last", "relocalised", "all")},
    }


def ion_results(ions):
    """Return the result of every operation on ion images."""
    clean = ions.mims.remove_hot_pixels()
    shifts, seed = (
        clean.mims.infer_translations("12C 14N", method=method)
        for method in ("correlation", "seed")
    )
    aligned = clean.mims.apply_translations(shifts)
    sums = aligned.mims.correct(background=0).mims.accumulate()
    return {
        "drawn": ions.mims.remove_hot_pixels(replacement="draw"),
        "quality": ions.mims.frame_quality(),
        "spikes": ions.mims.remove_spikes(),
        "corrected sums": sums,
        "ratio": sums.mims.ratio("13C", "12C"),
        "profile": aligned.mims.depth_profile(),
        "half pixels": clean.mims.apply_translations(shifts + 0.5),
        "mask": ions.mims.infer_hot_pixels(method="seed", kernel_size=5),
        "clean": clean,
        "shifts": shifts,
        "seed shifts": seed,
        "aligned": clean.mims.apply_translations(shifts, padding=3),
        "seed aligned": clean.mims.apply_translations(seed),
        "image": clean.mims.apply_translations(shifts).sum("frame"),
    }


RESULTS = {"run": (localization_results, "localization"), "stack": (ion_results, "frame")}


@pytest.fixture(scope="module", params=["run", "stack"])
def case(request):
    data = request.getfixturevalue(request.param)
    results, dim = RESULTS[request.param]
    with dask.config.set(scheduler="sync"):
        wanted = {name: found.compute() for name, found in results(data).items()}
    return data, results, dim, wanted


def compare(found, wanted):
    for name, result in found.items():
        assert_same_bits(result.compute(), wanted[name])


def test_threads_and_four_chunkings(case):
    data, results, dim, wanted = case
    for chunked in four_chunkings(data, dim):
        compare(results(chunked), wanted)


@pytest.mark.cluster
@pytest.mark.slow
def test_a_cluster_of_two_processes(case):
    data, results, dim, wanted = case
    with client("local", workers=2, memory_limit="1GiB"):
        for chunked in four_chunkings(data, dim):
            compare(results(chunked), wanted)


def test_the_record_does_not_know_of_chunks(case):
    data, results, dim, wanted = case
    for chunked in four_chunkings(data, dim):
        for name, result in results(chunked).items():
            assert result.attrs == wanted[name].attrs
