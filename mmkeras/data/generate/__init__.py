"""Generated examples: real files drawn and synthesised, for trying things out where no data set is at hand.

scenes, ceilings   pictures, sounds and questions that only all three together answer
motions            videos of a moving square, labelled with its direction, which no single frame shows
stories            videos of something that moves one way and then another, described by a sentence
lookalikes         tiny sets laid out like those of the recipes
"""

from mmkeras.data.generate import lookalikes
from mmkeras.data.generate._motions import DIRECTIONS, motions
from mmkeras.data.generate._scenes import ANSWERS, SHAPES, ceilings, scenes
from mmkeras.data.generate._stories import stories

__all__ = ["ANSWERS", "DIRECTIONS", "SHAPES", "ceilings", "lookalikes", "motions", "scenes", "stories"]
