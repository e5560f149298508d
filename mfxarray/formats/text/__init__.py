"""Text tables of localizations."""
