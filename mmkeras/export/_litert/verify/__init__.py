"""Checks that the file answers like Python; see `mmkeras.export._litert`."""
