"""Tests of the sealed stores."""
