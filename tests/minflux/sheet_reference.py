"""The statistics of a sheet by numpy and pandas, from the records of a file."""

from __future__ import annotations

import numpy as np
import pandas as pd

NM = 1e-9


def reference(raw, *, least_spread=5, least_error=3, per_axis=True, iteration=None):
    """Return the values behind every panel, and the totals, of nested records; no drift."""
    good = raw["vld"]
    kept = raw[good]
    last = kept["itr"][:, -1]
    columns = {"tid": kept["tid"], "tim": kept["tim"]}
    columns |= {name: last["loc"][:, axis] for axis, name in enumerate("xyz")}
    rows = pd.DataFrame({name: np.array(values) for name, values in columns.items()})
    groups = rows.groupby("tid", sort=False)
    n = groups.size().to_numpy()
    # two passes for full precision: positions are 1e-5 m, spreads 1e-9 m
    centred = rows[["x", "y", "z"]] - groups[["x", "y", "z"]].transform("mean")
    squares = (centred**2).groupby(rows["tid"], sort=False).sum().to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = squares / (n - 1)[:, None]
    times = groups["tim"].agg(["min", "max"]).sort_values("min").to_numpy()
    gaps = times[1:, 0] - times[:-1, 1]
    low, high = np.quantile(rows["z"], (0.01, 0.99), method="hazen")
    flat = high - low <= NM
    plane = variance[:, 0] + variance[:, 1]
    shares = (2, 3) if per_axis else (1, 1)
    long, enough = n >= least_spread, n >= least_error
    values = {
        "fbg": np.array(last["fbg"]),
        "cfr": cfr(kept, iteration),
        "t_scan": gaps[gaps >= 0],
        "t_loc": times[:, 1] - times[:, 0],
        "localizations_per_trace": n.astype(float),
        **{f"sigma_{name}": np.sqrt(variance[long, axis]) for axis, name in enumerate("xyz")},
        "sigma_r": np.sqrt(plane / 2)[long],
        "standard_error_r": np.sqrt(plane / shares[0] / n)[enough],
        "standard_error_z": np.sqrt(variance[:, 2] / n)[enough],
        "standard_error_xyz": np.sqrt((plane + variance[:, 2]) / shares[1] / n)[enough],
    }
    if flat:
        for name in ("sigma_z", "standard_error_z", "standard_error_xyz"):
            values[name] = np.empty(0)
    totals = {
        "localizations": len(rows),
        "traces": len(n),
        "fraction_valid": good.mean(),
        "dimensions": 2 if flat else 3,
        "duration": rows["tim"].max() - rows["tim"].min(),
        "event_rate": len(n) / (rows["tim"].max() - rows["tim"].min()),
    }
    return values, totals, rows


def cfr(kept, iteration):
    """Return efc / efo of the last iteration in which most of both are finite."""
    efc, efo = (kept["itr"][name].astype(float) for name in ("efc", "efo"))
    measured = (np.isfinite(efc).mean(axis=0) > 0.5) & (np.isfinite(efo).mean(axis=0) > 0.5)
    place = np.flatnonzero(measured)[-1] if iteration is None else iteration
    with np.errstate(divide="ignore", invalid="ignore"):
        return efc[:, place] / efo[:, place]


def check(sheet, values, totals, *, skip=()):
    """Compare a computed sheet with the reference: numbers to 1e-12, counts exactly."""
    for name, wanted in totals.items():
        np.testing.assert_allclose(sheet[name], wanted, rtol=1e-12, err_msg=name)
    for name, those in values.items():
        if name in skip:
            continue
        finite = those[np.isfinite(those)]
        assert int(sheet[f"{name}_count"]) == len(finite), name
        edges = sheet[f"{name}_edge"].values
        counts = np.histogram(finite, edges)[0]
        np.testing.assert_array_equal(sheet[f"{name}_histogram"], counts, err_msg=name)
        mean = name == "localizations_per_trace"
        middle = sheet[f"{name}_mean" if mean else f"{name}_median"]
        wanted = (finite.mean() if mean else np.median(finite)) if len(finite) else np.nan
        np.testing.assert_allclose(middle, wanted, rtol=1e-12, err_msg=name)
