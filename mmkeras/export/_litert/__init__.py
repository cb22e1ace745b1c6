"""The LiteRT file: `litert` writes a `.tflite` that holds builtin ops only and answers as Python does.

_litert/
  export.py       the function: the steps below, and the file under its name only when all of them have passed
  trace.py        keras.Model -> SavedModel of one signature, with a fixed batch and named tensors
  recurrent.py    recurrent layers as loops, as single steps, or as one op, which fused.py writes
  convert.py      SavedModel -> .tflite, in a process of its own, which a converter that crashes takes down alone
  int8.py         representative examples, and the float file becomes one of 8 bits, part by part:
  quantize.py       measures ranges and what the answers lose, in a process of its own
  plan.py           which op becomes int8, which one dynamic, and which one stays float
  process.py      starts these processes, and the one that runs the file
  faults.py       what the converter's messages mean: which op of which layer
  flatbuffer.py   what the file says of itself: ops, signature
  check.py        the file against the model: names, ops, answers
  run.py          runs and times the file where no TensorFlow is, whose kernels would hide what a device lacks
  report.py       Keras, the SavedModel and the file on the same examples: differences, metrics, time
  describe.py     preprocessing and heads as plain data: preprocess.json
  metadata.py     packs it into the file, with what viewers show
  prepared.py     whether `mmkeras.edge` makes the same ready tensors of it
"""

from mmkeras.export._litert.export import litert

__all__ = ["litert"]
