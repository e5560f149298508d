"""Clients for threads and clusters, and progress."""
