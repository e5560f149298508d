"""How molecules move."""
