"""MINFLUX JSON exports, read as a stream."""
