"""Clusters, densities, traces of several emitters."""
