"""Neighbours, clusters, mixtures."""
