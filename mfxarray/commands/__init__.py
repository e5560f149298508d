"""One file a command of ``mfxarray``; `mfxarray.cli` only reads the command line."""
