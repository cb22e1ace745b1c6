"""Whether the file answers as Python does; see `mmkeras.export._litert`."""
