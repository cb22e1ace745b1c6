"""What may happen to the values of each modality, by strength from 0 (nothing) to 1.

A file for each kind of spec, with `STAGE`, "raw" or "ready", the values that it changes, and `CORRUPTIONS`, dict, name
-> function of (values, spec, strength, rng): dict of the arrays (B, ...) of one modality by name -> a new one. `KINDS`
lists the files; further kinds may be added.
"""

from mmkeras.evaluate.corruptions import audio, image, table, text, vector, video

__all__ = ["KINDS"]

KINDS = {"text": text, "image": image, "audio": audio, "video": video, "table": table, "vector": vector}
