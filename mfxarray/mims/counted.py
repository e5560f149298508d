"""Counts and their variance: one contract for raw ion counts and for corrected ones.

Raw counts are a DataArray of integers; their variance is the counts themselves, because counting
ions is a Poisson process. Corrected counts are a Dataset of ``counts`` and ``variance``. What comes
after takes either: it begins with `split` and ends with `join`, or is applied by `each`.
"""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from mfxarray.schema import ION_IMAGES, by_name

__all__ = ["each", "is_raw", "join", "split", "with_variance"]

# CF's name for "the variable that holds my uncertainty"; marks counts that are no longer Poisson
_PARTNER = "ancillary_variables"


def split(data: xr.DataArray | xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return counts and their variance, both with the attributes of ``data``, the record included.

    Parameters
    ----------
    data
        Raw counts, a DataArray or a Dataset with the one variable ``counts``: the variance is the
        counts themselves. Or corrected counts, a Dataset with ``counts`` and ``variance``.

    Raises
    ------
    ValueError
        If ``data`` are no counts, or corrected counts without their variance.
    """
    if isinstance(data, xr.DataArray):
        _check_poisson(data)
        return data, data
    if "counts" not in data:
        raise ValueError(f"a Dataset of ion counts has the variable 'counts', not {list(data)}")
    if "variance" not in data:
        counts = data["counts"]
        _check_poisson(counts)
        counts = counts.assign_attrs({**data.attrs, **counts.attrs})
        return counts, counts
    counts, variance = data["counts"], data["variance"]
    if counts.dims != variance.dims:
        raise ValueError(f"counts have dimensions {counts.dims}, their variance {variance.dims}")
    units = by_name(ION_IMAGES)["counts"].attrs()
    return (
        counts.drop_attrs(deep=False).assign_attrs({**data.attrs, **units}),
        variance.drop_attrs(deep=False).assign_attrs(data.attrs),
    )


def join(
    counts: xr.DataArray, variance: xr.DataArray, like: xr.DataArray | xr.Dataset
) -> xr.DataArray | xr.Dataset:
    """Return counts and variance in the form of ``like``, with the attributes of ``counts``.

    Parameters
    ----------
    counts
        Treated counts; their attributes, with the record, become those of the result.
    variance
        Their variance; left out where ``like`` is raw, whose counts are their own variance.
    like
        What `split` took.
    """
    if not is_raw(like):
        return with_variance(counts, variance)
    if isinstance(like, xr.DataArray):
        return counts
    return counts.to_dataset(name="counts").assign_attrs(counts.attrs)


def with_variance(counts: xr.DataArray, variance: xr.DataArray) -> xr.Dataset:
    """Return a Dataset of ``counts`` and ``variance`` with the attributes of the counts."""
    text = by_name(ION_IMAGES)["counts"].attrs()
    marked = counts.drop_attrs(deep=False).assign_attrs({**text, _PARTNER: "variance"})
    spread = variance.drop_attrs(deep=False).assign_attrs(
        {"units": "counts^2", "long_name": f"variance of {text['long_name']}"}
    )
    both = xr.Dataset({"counts": marked, "variance": spread})
    return both.assign_attrs(
        {name: value for name, value in counts.attrs.items() if name not in ("units", "long_name")}
    )


def each(
    data: xr.DataArray | xr.Dataset, operation: Callable[[xr.DataArray], xr.DataArray]
) -> xr.DataArray | xr.Dataset:
    """Return ``data`` after an operation that treats counts and variance in the same linear way.

    Parameters
    ----------
    data
        Raw or corrected counts, see `split`.
    operation
        Takes one of both and returns it treated, with its new record in the attributes. It runs
        once for raw counts.
    """
    counts, variance = split(data)
    treated = operation(counts)
    return join(treated, treated if variance is counts else operation(variance), data)


def is_raw(data: xr.DataArray | xr.Dataset) -> bool:
    """Tell whether the counts are their own variance."""
    return isinstance(data, xr.DataArray) or "variance" not in data


def _check_poisson(counts: xr.DataArray) -> None:
    if _PARTNER in counts.attrs:
        raise ValueError(
            "these corrected counts were taken out of their Dataset; pass the whole Dataset, "
            "because the variance beside them is no longer the counts themselves"
        )
    if counts.dtype.kind in "ui":
        return
    # area weights of an alignment make fractions of counts, whose variance they still are
    if counts.dtype.kind != "f" or counts.attrs.get("units") != "counts":
        raise ValueError(
            f"expected ion counts, integers or floats with the unit 'counts', not {counts.dtype} "
            f"of unit {counts.attrs.get('units')!r}"
        )
