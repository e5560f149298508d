"""One file per format: bytes to schema fields and picklable sources."""
