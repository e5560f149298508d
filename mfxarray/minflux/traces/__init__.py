"""One row a trace, and what localizations and traces tell about their precision."""
