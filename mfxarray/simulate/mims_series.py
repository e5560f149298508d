"""Which species a peak-switched instrument measures in which series of a plane."""

from __future__ import annotations

from dataclasses import replace

from mfxarray.formats.im.im import Detector
from mfxarray.simulate.mims_scene import mims_detectors

__all__ = ["switched_detectors"]

_TROLLEYS = (1, 2, 3, 4, 5, 10, 11)


def switched_detectors(
    count: int, series: int
) -> tuple[tuple[Detector, ...], tuple[tuple[int, ...], ...]]:
    """Return the channels of a plane, and which species each series measures.

    Parameters
    ----------
    count
        Number of species, see `mims_detectors`.
    series
        Among how many series they are dealt out, one by one; electrons are part of all.

    Returns
    -------
    channels
        In the order in which they are stored.
    parts
        For every series, numbers of its species in `mims_detectors`, by mass, electrons last.

    Raises
    ------
    ValueError
        If a series were left without an ion.
    """
    species = mims_detectors(count)
    if series == 1:
        return species, (tuple(range(count)),)
    ions = [number for number, one in enumerate(species) if one.mass > 0]
    if not 1 <= series <= len(ions):
        raise ValueError(f"series must be 1 to {len(ions)}, the number of ions, not {series}")
    electrons = [number for number, one in enumerate(species) if one.mass == 0]
    parts = tuple((*ions[start::series], *electrons) for start in range(series))
    channels: list[Detector] = []
    for number, part in enumerate(parts):
        for place, one in enumerate(part):
            channel = species[one]
            if channel.mass > 0:
                trolley = _TROLLEYS[place % len(_TROLLEYS)]
                channels.append(replace(channel, trolley=trolley))
            else:
                name = channel.name if number == 0 else f"{channel.name}_{number + 1}"
                channels.append(replace(channel, name=name))
    return tuple(channels), parts
