"""Imspector `.msr` files: the OBF container and the MINFLUX data within it."""
