"""Points drawn into images."""
