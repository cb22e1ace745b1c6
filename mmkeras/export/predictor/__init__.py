"""`Predictor`: rows in, a table of answers out, and one file to keep it in.

rows       what is given -> raw examples
batches    raw examples -> answers, batch by batch, with the rows that fail
columns    answers -> columns of a table
file       both models in one ZIP archive
"""

from mmkeras.export.predictor._predictor import Predictor

__all__ = ["Predictor"]
