"""Branches: functions that return a `keras.Model`, ready -> `tokens (B, T, D)` and `mask (B, T)`.

A vector is a sequence of one token. Every branch has `pool`, which says what becomes of its tokens: None keeps them
for a fusion that sees every token, such as `fusion.Attention`; the others give one token, for the fusions of one
vector, such as `fusion.Concatenate`, which would take the mean of the tokens otherwise.
"""

from mmkeras.branches import audio, image, table, text, vector, video

__all__ = ["audio", "image", "table", "text", "vector", "video"]
