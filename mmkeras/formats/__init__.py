"""What `mmkeras.data` and `mmkeras.edge` both read, in plain Python and without other packages.

zipped    the members of ZIP files, by their local headers
sampling  which frames are taken of a clip
"""
