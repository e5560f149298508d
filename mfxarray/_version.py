"""The version, alone in its file so that the lowest layer can name it."""

__version__ = "0.1.0"
