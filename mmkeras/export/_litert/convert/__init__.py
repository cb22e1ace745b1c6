"""keras.Model -> SavedModel -> .tflite, and its int8 form; see `mmkeras.export._litert`."""
