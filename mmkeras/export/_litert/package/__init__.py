"""What is packed into the file; see `mmkeras.export._litert`."""
