"""A dual encoder of coloured squares and what they are called, trained for a few seconds."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras.data.generate.files import image

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
SPECS = [mm.Image("photo", size=(8, 8)), mm.Text("caption", max_tokens=6, vocabulary_size=40, optional=True)]


@pytest.fixture(scope="session")
def squares():
    """48 raw examples: a square of one of four colours, and its name; the last one lacks the name."""
    rng, rows = np.random.default_rng(0), []
    for i in range(48):
        name = list(COLOURS)[i % 4]
        pixels = np.clip(np.array(COLOURS[name]) * 0.8 + rng.integers(0, 40, (8, 8, 3)), 0, 255).astype("uint8")
        rows.append({"photo": image(pixels, "png"), "caption": f"a {name} square" if i < 47 else "", "colour": name})
    frame = pd.DataFrame(rows).assign(key=[f"n{i}" for i in range(48)])
    return mm.data.from_dataframe(frame, SPECS, [mm.heads.classification("colour", list(COLOURS))])


@pytest.fixture(scope="session")
def trained(squares):
    """(preprocess, model)."""
    keras.utils.set_random_seed(0)
    preprocess = mm.adapt(mm.preprocessor(SPECS), squares, verbose=False)
    photo, caption = preprocess.specs
    branches = {
        "photo": mm.branches.image.conv2d(photo, filters=(8,)),
        "caption": mm.branches.text.transformer(caption, dim=8, num_layers=0, pool="mean", dropout=0.0),
    }
    model = mm.dual_encoder([photo, caption], branches, dim=8)
    model.compile(keras.optimizers.Adam(0.02), mm.losses.InfoNCE("colour"))
    model.fit(mm.data.train_batches(squares, preprocess, batch_size=16, cache="memory"), epochs=20, verbose=0)
    return preprocess, model


@pytest.fixture
def index(trained, squares):
    preprocess, model = trained
    return mm.retrieval.Index(model, preprocess, squares, identifiers="key", verbose=False)
