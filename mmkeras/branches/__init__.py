"""Branches: functions that return a `keras.Model`, ready -> `tokens (B, T, D)` and `mask (B, T)`.

A vector is a sequence of one token. A branch that computes several tokens has an argument `pool`, which means the same
in all of them: how the tokens are reduced to one. None keeps them all, for a fusion of tokens such as
`fusion.Attention`; the other values ("mean", "max", "last", "cls", "flatten", as far as the branch has them) give one
token, for a fusion of one vector per modality such as `fusion.Concatenate`, which uses the mean of several tokens
otherwise.

`from_model` makes a branch of any other Keras model, such as a pretrained one.
"""

from mmkeras.branches import audio, image, table, text, vector, video
from mmkeras.branches._from_model import from_model

__all__ = ["audio", "from_model", "image", "table", "text", "vector", "video"]
