"""Images of localizations."""
