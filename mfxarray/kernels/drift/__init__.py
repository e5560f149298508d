"""Compiled parts of the drift of localizations."""
