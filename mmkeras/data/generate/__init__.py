"""Generated examples: real files drawn and synthesised, for trying things out where no data set is at hand.

scenes, ceilings   pictures, sounds and questions that only all three together answer
lookalikes         tiny sets laid out like those of the recipes
"""

from mmkeras.data.generate import lookalikes
from mmkeras.data.generate.scenes import ANSWERS, SHAPES, ceilings, scenes

__all__ = ["ANSWERS", "SHAPES", "ceilings", "lookalikes", "scenes"]
