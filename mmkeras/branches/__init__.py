"""Branches: functions that return a `keras.Model`, ready -> `tokens (B, T, D)` and `mask (B, T)`.

A vector is a sequence of one token. Every branch has `pool`, which says what becomes of its tokens: None keeps them
for a fusion that sees every token, such as `fusion.Attention`; the others give one token, for the fusions of one
vector, such as `fusion.Concatenate`, which would take the mean of the tokens otherwise.

`from_model` makes a branch of any other model of Keras, such as a pretrained one.
"""

from mmkeras.branches import audio, image, table, text, vector, video
from mmkeras.branches._from_model import from_model

__all__ = ["audio", "from_model", "image", "table", "text", "vector", "video"]
