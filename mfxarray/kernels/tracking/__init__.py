"""Displacements and diffusion."""
