"""Both forms of regions, from one to the other, and to lists of pixels; see `regions`."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.kernels.region_sums import Members, members_of_labels, members_of_masks
from mfxarray.mims.pixel_grid import grid_of
from mfxarray.provenance import origin

__all__ = [
    "coords_of",
    "from_masks",
    "labelled",
    "members_of",
    "region_names",
    "single",
    "to_labels",
    "to_masks",
]

Array = np.ndarray[Any, Any]
Counted = xr.DataArray | xr.Dataset

_FORMS = ("labels", "masks")


def to_masks(regions: xr.DataArray) -> xr.DataArray:
    """Return regions as masks (region, y, x), bool."""
    if "region" in regions.dims:
        return regions.transpose("region", "y", "x")
    labels, names = _labels_and_names(regions)
    masks = regions.transpose("y", "x").values == labels[:, None, None]
    coords = {"region": names, **_plane_coords(regions)}
    return xr.DataArray(masks, coords, ("region", "y", "x"), "regions", _record_of(regions))


def to_labels(regions: xr.DataArray) -> xr.DataArray:
    """Return regions as a labelled image.

    Raises
    ------
    ValueError
        If two of them overlap.
    """
    if "region" not in regions.dims:
        return regions
    masks = regions.transpose("region", "y", "x").values
    image, names = _one_image(zip(region_names(regions), masks, strict=True))
    attrs = _attrs_of(list(range(1, len(names) + 1)), names)
    return xr.DataArray(
        image, _plane_coords(regions), ("y", "x"), "regions", {**_record_of(regions), **attrs}
    )


def region_names(regions: xr.DataArray) -> list[str]:
    """Return the names of regions in their order."""
    if "region" in regions.dims:
        if "region" not in regions.coords:
            return [str(number) for number in range(1, regions.sizes["region"] + 1)]
        return [str(name) for name in regions["region"].values]
    return _labels_and_names(regions)[1]


def single(regions: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Return regions as they are, or out of the Dataset that a store gives back."""
    if isinstance(regions, xr.DataArray):
        return regions
    if "regions" not in regions:
        raise ValueError(f"a Dataset of regions has the variable 'regions', not {list(regions)}")
    return regions["regions"]


def members_of(regions: xr.DataArray, shape: tuple[int, int]) -> Members:
    """Return the pixels of regions in either form, which are loaded for it.

    Parameters
    ----------
    regions
        See `mfxarray.mims.regions`; labels without names are called by their number.
    shape
        Of the images that they are laid on.

    Raises
    ------
    ValueError
        If the regions are of another shape or kind.
    """
    masks = "region" in regions.dims
    wanted = {"region", "y", "x"} if masks else {"y", "x"}
    kinds = "b" if masks else "uib"
    if set(regions.dims) != wanted or regions.dtype.kind not in kinds:
        raise ValueError(
            "regions are labels (y, x) of integers or masks (region, y, x) of bools, not "
            f"{regions.dtype} {regions.dims}"
        )
    if (regions.sizes["y"], regions.sizes["x"]) != shape:
        raise ValueError(
            f"the regions are for images of {(regions.sizes['y'], regions.sizes['x'])} pixels, "
            f"these have {shape}; an alignment with padding changes the size"
        )
    if masks:
        return members_of_masks(regions.transpose("region", "y", "x").values)
    labels, _ = _labels_and_names(regions)
    return members_of_labels(regions.transpose("y", "x").values.astype(np.int64), labels)


def labelled(
    image: Array,
    coords: dict[str, Any],
    labels: Sequence[int],
    names: Sequence[str],
    step: str,
    parameters: Mapping[str, Any],
    source: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Return an image of labels with their names and the record of how it was made."""
    if len(set(names)) != len(names):
        raise ValueError(f"names of regions must differ: {sorted(names)[:20]}")
    made = origin(step, {**(source or {}), "pixels": _hash(image)}, parameters)
    attrs: dict[str, Any] = {**made, **_attrs_of(labels, names)}
    return xr.DataArray(image, coords, ("y", "x"), "regions", attrs)


def from_masks(
    masks: Iterable[tuple[str, Array]],
    coords: dict[str, Any],
    form: str,
    step: str,
    source: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> xr.DataArray:
    """Return named masks, made one by one, in one of the two forms, with their record."""
    if form not in _FORMS:
        raise ValueError(f"form must be one of {_FORMS}, not {form!r}")
    if form == "labels":
        image, names = _one_image(masks)
        numbers = list(range(1, len(names) + 1))
        return labelled(image, coords, numbers, names, step, parameters, source)
    pairs = list(masks)
    if not pairs:
        raise ValueError("there is no region")
    names, stack = [name for name, _ in pairs], np.stack([mask for _, mask in pairs])
    made = origin(step, {**source, "pixels": _hash(stack)}, parameters)
    return xr.DataArray(stack, {"region": names, **coords}, ("region", "y", "x"), "regions", made)


def _one_image(masks: Iterable[tuple[str, Array]]) -> tuple[Array, list[str]]:
    """Return one image of all masks, numbered from 1, and their names."""
    image: Array | None = None
    names: list[str] = []
    for name, mask in masks:
        image = np.zeros(mask.shape, np.int32) if image is None else image
        names.append(name)
        both = image[mask]
        if both.any():
            other = names[int(both[both > 0][0]) - 1]
            raise ValueError(
                f"{other!r} and {name!r} overlap in {np.count_nonzero(both)} pixels, which a "
                "labelled image cannot hold; use form='masks'"
            )
        image[mask] = len(names)
    if image is None:
        raise ValueError("there is no region")
    return image, names


def _labels_and_names(regions: xr.DataArray) -> tuple[Array, list[str]]:
    """Return labels and names of a labelled image; without attributes those in the image."""
    labels = regions.attrs.get("region_labels")
    names = regions.attrs.get("region_names")
    if labels is not None and names is not None and np.size(labels) == np.size(names):
        # a store gives back a list of one entry as the entry
        return np.atleast_1d(labels).astype(np.int64), [str(n) for n in np.atleast_1d(names)]
    found = np.unique(regions.values)
    found = found[found != 0].astype(np.int64)
    return found, [str(label) for label in found]


def _attrs_of(labels: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    return {
        "long_name": "regions, 0 outside",
        "region_labels": [int(label) for label in labels],
        "region_names": [str(name) for name in names],
    }


def _record_of(regions: xr.DataArray) -> dict[Hashable, Any]:
    dropped = ("region_labels", "region_names", "long_name")
    return {key: value for key, value in regions.attrs.items() if key not in dropped}


def coords_of(like: Counted | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the coordinates y and x of data whose images have this shape."""
    if like is None:
        return {}
    grid = grid_of(like)
    if grid.shape != shape:
        raise ValueError(f"regions of {shape} pixels do not fit to images of {grid.shape}")
    return _plane_coords(like)


def _plane_coords(data: Counted) -> dict[str, Any]:
    return {dim: data[dim].variable for dim in ("y", "x") if dim in data.coords}


def _hash(image: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]
