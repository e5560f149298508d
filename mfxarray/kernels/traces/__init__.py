"""Numbers of traces."""
