"""Contents of files: found in folders and archives, and converted where TensorFlow's own ops cannot decode them.

archives      a ZIP or TAR file counts as a folder
transcode     FLAC, MP3, Ogg Vorbis -> WAV, WebP -> PNG
sound_checks  damage that decoders of sounds do not report
clips         movies, folders and archives of frames -> ZIP files of frames
frames        the pictures of one clip
sizes         how large they are, by their headers
vectors       columns of vectors, .npy files
encoded       decoded pictures and sounds -> files
"""
