"""Pictures of localizations, traces and ion images; each function gives a matplotlib Figure.

Figures are made without pyplot, so nothing has to be closed and no window system is needed.
matplotlib is imported when a picture is made.
"""

from __future__ import annotations

from mfxarray.plot.figures import save
from mfxarray.plot.ions import drift, hot_pixels, ion_images
from mfxarray.plot.points import localizations
from mfxarray.plot.tables import traces

__all__ = ["drift", "hot_pixels", "ion_images", "localizations", "save", "traces"]
