"""Pores, filaments, aggregates."""
