"""What leaves the training: `saved_model` for TF Serving, `litert` for devices, `Predictor` for tables of rows.

The first two are asked in a process of their own, which knows nothing of this package, before they appear under their
names.

saved_models/NAME/VERSION/
  saved_model.pb, variables/, assets/     signatures `serving_default` (raw), `ready`, `examples` (tf.Example)
  assets.extra/request.json               a REST body to copy
  assets.extra/signature.json             names, shapes, dtypes, classes, versions
  assets.extra/answers.json               Python's answers to that request, which `mmkeras verify` compares
  assets.extra/parity.json                how far its answers are from Python's
  assets.extra/SHA256SUMS                 checksums of all of these files but the card
  assets.extra/MODEL_CARD.md              what is known of the model, and what is left to fill in
  assets.extra/tf_serving_warmup_requests replayed by TF Serving before the first request
saved_models/NAME.tflite                  ready tensors in, the heads' outputs out; raw values by `mmkeras.edge`
saved_models/NAME.preprocess.json         from raw to ready; the same is in the file
saved_models/NAME.parity.json             how far its answers are from Python's, its size, its time
saved_models/NAME.answers.json            a request, and Python's answers to it
saved_models/NAME.SHA256SUMS              as above
saved_models/NAME.MODEL_CARD.md           as above
"""

from mmkeras.export._litert import litert
from mmkeras.export._saved_model import saved_model
from mmkeras.export.card import model_card
from mmkeras.export.predictor import Predictor

__all__ = ["Predictor", "litert", "model_card", "saved_model"]
