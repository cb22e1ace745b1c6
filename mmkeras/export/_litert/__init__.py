"""The LiteRT file: `litert` writes a `.tflite` that holds builtin ops only and answers as Python does.

export.py         the function: the steps below, and the file under its name only when all of them have passed
convert/
  trace.py        keras.Model -> SavedModel of one signature, with a fixed batch and named tensors
  recurrent.py    recurrent layers as loops, as single steps, or as one op, which fused.py writes
  int8.py         representative examples, and the float file becomes one of 8 bits, part by part
  faults.py       what the converter's messages mean: which op of which layer
package/
  describe.py     preprocessing and heads as plain data: preprocess.json
  metadata.py     packs it into the file, with what viewers show
verify/
  flatbuffer.py   what the file says of itself: ops, signature
  check.py        the file against the model: names, ops, answers
  report.py       Keras, the SavedModel and the file on the same examples: differences, metrics, time
  prepared.py     whether `mmkeras.edge` makes the same ready tensors of it

Conversion, quantisation and the runs happen in processes of their own, see `mmkeras.export.process`: a converter that
crashes takes down its process alone, and a runtime without TensorFlow has none of the kernels that a device lacks.
"""

from mmkeras.export._litert.export import litert

__all__ = ["litert"]
