"""Which fluorophore it is."""
