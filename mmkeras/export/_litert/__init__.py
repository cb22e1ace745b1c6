"""The LiteRT file: `litert` writes a `.tflite` with builtin ops only, and checks its answers against Python's.

export.py         the function: runs the steps below, and names the file when all of them have passed
convert/
  trace.py        keras.Model -> SavedModel of one signature, with a fixed batch and named tensors
  recurrent.py    recurrent layers as loops, which loop.py makes fast, or as single steps
  int8.py         representative examples, and quantisation of the float file part by part
  faults.py       the converter's messages, by op and layer
package/
  describe.py     preprocessing and heads as plain data: preprocess.json
  metadata.py     packs it into the file, with what viewers show
verify/
  flatbuffer.py   ops and signature of the file
  check.py        the file against the model: names, ops, answers
  report.py       Keras, the SavedModel and the file on the same examples: differences, metrics, time
  prepared.py     whether `mmkeras.edge` computes the same ready tensors

Conversion, quantisation and the runs happen in separate processes, see `mmkeras.export.process`: a crash of the
converter affects only its own process, and a runtime without TensorFlow has only the kernels that a device has.
"""

from mmkeras.export._litert.export import litert

__all__ = ["litert"]
