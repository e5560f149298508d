"""Files of pyMINFLUX."""
