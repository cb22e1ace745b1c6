"""Contents of files: found in folders and archives, and converted where TensorFlow's own ops cannot decode them.

archives      ZIP and TAR files as folders
transcode     FLAC, MP3, Ogg Vorbis -> WAV, WebP -> PNG
sound_checks  finds damage that audio decoders do not report
clips         movies, folders and archives of frames -> ZIP files of frames
frames        the pictures of one clip
sizes         sizes from the headers of files
vectors       columns of vectors, .npy files
encoded       decoded pictures and sounds -> files
"""
