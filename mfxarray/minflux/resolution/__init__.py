"""Resolution by correlating random halves."""
