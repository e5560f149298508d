"""How often the 95 % intervals of ratio and fraction cover the truth, for means from 3 to 1e5.

Exact: sums over Poisson and binomial probabilities, no random numbers. Then a Monte Carlo through
the public functions, which must agree. ``--scale 0.1`` takes fewer means and draws.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import xarray as xr
from common import arguments

sys.path.insert(0, str(Path(__file__).parent.parent))

from mfxarray.kernels.poisson import METHODS, fraction_interval
from tests.kernels.coverage import coverage, poisson_coverage

RANGES = ((3, 10), (10, 30), (30, 100), (100, 300), (300, 1000), (1000, 1.01e5))


def exact(means: np.ndarray) -> None:
    """Print the extremes of the coverage by the smaller mean."""
    for method in METHODS:
        interval = partial(fraction_interval, method=method)
        found = {
            (a, b): 100 * coverage(a, b, interval)
            for a, b in combinations_with_replacement(means.tolist(), 2)
        }
        for low, high in RANGES:
            part = [value for (a, _), value in found.items() if low <= a < high]
            if part:
                print(
                    f"{method:16s} smaller mean {low:5.0f} to {high:6.0f}: {min(part):6.2f} to "
                    f"{max(part):6.2f} %, mean {np.mean(part):6.2f} % of {len(part)} pairs",
                    flush=True,
                )


def rare() -> None:
    """Print the same for a species that is rare beside the other, where the extremes are."""
    means = np.geomspace(3, 900, 4000)
    counts, rest = np.arange(1300.0), np.full(1300, 1e9)
    for method in METHODS:
        ends = fraction_interval(counts, rest, method=method)
        found = 100 * poisson_coverage(means, *(end * 1e9 / (1 - end) for end in ends))
        for low, high in RANGES[:-1]:
            part = found[(means >= low) & (means < high)]
            print(
                f"{method:16s} rare mean {low:5.0f} to {high:6.0f}: {part.min():6.2f} to "
                f"{part.max():6.2f} %, mean {part.mean():6.2f} %",
                flush=True,
            )


def simulated(draws: int) -> None:
    """Print the coverage that random counts give through ratio and fraction."""
    from mfxarray.mims.ratios import fraction, ratio

    rng = np.random.default_rng(0)
    for a, b in ((3, 3), (3, 1e5), (10, 1000), (30, 3e3), (100, 100), (100, 9e3), (1e4, 1e5)):
        values = np.stack([rng.poisson(mean, draws) for mean in (a, b)], axis=1)
        coords = {"detector": ["a", "b"]}
        table = xr.DataArray(values, coords, ("region", "detector"), attrs={"units": "counts"})
        for function, truth in ((ratio, a / b), (fraction, a / (a + b))):
            found = function(table, "a", "b", min_counts=0).compute()
            inside = ((found["low"] <= truth) & (truth <= found["high"])).values
            error = 100 * inside.std() / np.sqrt(draws)
            print(
                f"{function.__name__:8s} of means {a:6.0f} and {b:6.0f}: {100 * inside.mean():.2f} "
                f"+- {error:.2f} % of {draws} draws"
            )


def main() -> None:
    """Print the three tables."""
    options = arguments(__doc__)
    exact(np.geomspace(3, 1e5, max(int(40 * options.scale), 5)))
    rare()
    simulated(max(int(200_000 * options.scale), 1000))


if __name__ == "__main__":
    main()
