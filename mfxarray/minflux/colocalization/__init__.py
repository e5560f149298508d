"""Clusters and distances across channels, against chance."""
