"""The statistics sheet of a measurement."""
