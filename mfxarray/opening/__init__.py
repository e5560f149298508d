"""Files to labelled, lazy data."""
