"""What `mmkeras.edge` shares with `mmkeras.data` and `mmkeras.preprocess`, in plain Python and without other packages.

zipped    the members of ZIP files, by their local headers
dates     dates as text, and the numbers they are expanded into
sampling  which frames are taken of a clip
scaling   which JPEGs are scaled down while they are decoded
manifest  SHA-256 checksums of the files of an export
"""
