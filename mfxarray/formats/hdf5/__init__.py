"""HDF5 files, read for their layout: chunks, heaps and messages."""
