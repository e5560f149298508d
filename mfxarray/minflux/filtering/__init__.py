"""Masks of localizations by name, what each left, and the files they are kept in."""
