"""The LiteRT file: `litert` writes a `.tflite` that holds builtin ops only and answers as Python does.

litert/
  export.py       the function: the steps below, and the file under its name only when all of them have passed
  trace.py        keras.Model -> SavedModel of one signature, with a fixed batch and named tensors
  convert.py      SavedModel -> .tflite, in a process of its own, which a converter that crashes takes down alone
  process.py      starts that process, and the one that runs the file
  faults.py       what the converter's messages mean: which op of which layer
  flatbuffer.py   what the file says of itself: ops, signature
  check.py        the file against the model: names, ops, answers
  run.py          runs the file where no TensorFlow is, whose kernels would hide what a device lacks
"""

from mmkeras.export.litert.export import litert

__all__ = ["litert"]
