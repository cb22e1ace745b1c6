"""What `mmkeras.data` and `mmkeras.edge` both read, in plain Python and without other packages.

zipped    the members of ZIP files, by their local headers
dates     dates as text, and the numbers they are expanded into
sampling  which frames are taken of a clip
manifest  SHA-256 checksums of the files of an export
"""
