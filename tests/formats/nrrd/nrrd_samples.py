"""NRRD files put together line by line, as OpenMIMS writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["FIELDS", "KEYS", "counts", "header", "nrrd_file", "payload"]

FIELDS = {
    "type": "float",
    "encoding": "raw",
    "endian": "big",
    "dimension": "4",
    "sizes": "7 5 4 3",
    "kinds": "space space space list",
}
KEYS = {
    "Mims_mass_numbers": "12.00 26.00 0.00 ",
    "Mims_mass_symbols": "12C 12C14N - ",
    "Mims_position": "-120,3400",
    "Mims_z_position": "2",
    "Mims_date": "02.04.18",
    "Mims_hour": "12:23",
    "Mims_sample_name": "grass: leaf",
    "Mims_dwell_time": "1.500",
    "Mims_count_time": "10.0",
    "Mims_duration": "45.000",
    "Mims_raster": "14000",
    "Mims_pixel_width": "2000.000000",
    "Mims_pixel_height": "2000.000000",
    "Mims_notes": "two\\nlines \\\\ blanks",
}


def counts(seed: int = 1) -> np.ndarray:
    """Return counts (frame, detector, y, x) for the sizes of `FIELDS`."""
    return np.random.default_rng(seed).poisson(900, (4, 3, 5, 7))


def payload(values: np.ndarray, dtype: str = ">f4") -> bytes:
    return np.ascontiguousarray(values.transpose(1, 0, 2, 3), dtype).tobytes()


def header(fields: dict | None = None, keys: dict | None = None, newline: str = "\n") -> bytes:
    lines = ["NRRD0004", "# Created by a test"]
    lines += [f"{name}: {value}" for name, value in (fields or FIELDS).items()]
    lines += [f"{name}:={value}" for name, value in (KEYS if keys is None else keys).items()]
    return (newline.join(lines) + 2 * newline).encode()


def nrrd_file(folder: Path, content: bytes | None = None, name: str = "run.nrrd") -> Path:
    path = folder / name
    path.write_bytes(header() + payload(counts()) if content is None else content)
    return path
