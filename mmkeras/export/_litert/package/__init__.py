"""Metadata and associated files packed into the LiteRT file; see `mmkeras.export._litert`."""
