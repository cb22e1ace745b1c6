"""What the tests share: quiet TensorFlow, two logical CPU devices, and one small data set with its preprocessing."""

import ctypes
import gc
import importlib
import os
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import mmkeras as mm

# Split the physical CPU into two logical devices, so that MirroredStrategy has two replicas.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# Without TensorFlow's graph optimizer, which takes most of the time until a small pipeline or function runs at all.
# Processes of their own have it: recipes, workers, servers, and those in which exports are loaded and checked.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


# Objects of the imports are left out of garbage collection, so that it is cheap and models are freed soon.
gc.collect()
gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Archives are extracted into a folder of the tests, also by the recipes that they run."""
    os.environ["MMKERAS_CACHE"] = str(tmp_path_factory.mktemp("archives"))


@pytest.fixture(autouse=True, scope="module")
def _own_memory():
    """What a module used is given back: a process that runs half of the suite would end with 8 GB otherwise.

    TensorFlow keeps a compiled form of every function ever called, some 15 MB for each model that was trained; models
    are cycles of Python objects; and the C library keeps what was freed.
    """
    yield
    context.context().clear_kernel_cache()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """The CSV file of 120 generated scenes; some rows lack the photo or the voice."""
    return mm.data.generate.scenes(tmp_path_factory.mktemp("scenes"), n=120, size=24, seconds=0.25, missing=0.2)


@pytest.fixture(scope="session")
def specs():
    """Specs of every modality that fit `scenes`."""
    return [
        mm.Text("question", max_tokens=16, vocabulary_size=100),
        mm.Image("photo", size=(24, 24), optional=True),
        mm.Audio("voice", seconds=0.25, sample_rate=8000, optional=True),
        mm.Table("meta", numeric=["hour"], categorical=["room"], max_categories=10),
    ]


@pytest.fixture(scope="session")
def heads():
    """Heads of every kind that fit `scenes`."""
    return [
        mm.heads.classification("answer", mm.data.generate.ANSWERS),
        mm.heads.classification("objects", mm.data.generate.SHAPES, multi_label=True),
        mm.heads.regression("loudness", mean=-18.0, std=6.0),
    ]


@pytest.fixture(scope="session")
def raw(scenes, specs, heads):
    """`scenes` as raw examples."""
    return mm.data.from_csv(scenes, specs, heads)


@pytest.fixture(scope="session")
def preprocess(specs, raw):
    """From raw to ready, adapted to `raw`."""
    return mm.adapt(mm.preprocessor(specs), raw, verbose=False)


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """The folder of a tiny BERT of 20 tokens and two blocks, as keras-hub writes it."""
    import keras_nlp

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = ["good", "bad", "##ly", "film", "the", "!", ",", "un", "##aff", "##able", "爱", "e", "##e", "##l", "n"]
    folder = tmp_path_factory.mktemp("presets") / "tiny_bert"
    keras_nlp.models.BertBackbone(20, 2, 2, 8, 16, max_sequence_length=12).save_to_preset(folder)
    keras_nlp.models.BertTokenizer(special + words, lowercase=True, strip_accents=True).save_to_preset(folder)
    return folder


@pytest.fixture(scope="session")
def patches():
    """Two functions of a `pytest.MonkeyPatch`, for as long as it lasts:

    `convert` converts LiteRT files in this process, not in one of its own, where importing TensorFlow takes longest;
    `load` loads SavedModels here, too. That those processes need nothing of this one is for tests/export to prove.
    """
    from mmkeras.export.process import litert
    from mmkeras.export.process.scripts import convert, fresh

    elsewhere = litert.ask

    def ask(script, request, *rest):
        here = script.name == "convert.py"
        return convert.answer(lambda: None, **request) if here else elsewhere(script, request, *rest)

    def run_here(path, ops, runs):
        return fresh.answer(lambda: None, str(path), ops, runs)

    def load(patch):
        for name in ("export._saved_model.export", "export._litert.verify.report", "retrieval._export"):
            patch.setattr(importlib.import_module(f"mmkeras.{name}"), "run_fresh", run_here)

    return types.SimpleNamespace(convert=lambda patch: patch.setattr(litert, "ask", ask), load=load)


@pytest.fixture
def convert_here(monkeypatch, patches):
    """LiteRT files are converted in this process."""
    patches.convert(monkeypatch)


@pytest.fixture
def one_process(monkeypatch, convert_here, patches):
    """As `convert_here`, and SavedModels are loaded here, too."""
    patches.load(monkeypatch)


@pytest.fixture(scope="session")
def model(tiny_model, specs, heads):
    """A small untrained model of `specs` and `heads`."""
    return tiny_model(specs, heads)


@pytest.fixture(scope="session")
def tiny_model():
    """Function (specs, heads) -> the same small model each time."""
    return _tiny_model


def _tiny_model(specs, heads):
    keras.utils.set_random_seed(0)
    branches = {
        "question": mm.branches.text.lstm(specs[0], units=8, embed_dim=8),
        "photo": mm.branches.image.conv2d(specs[1], filters=(4, 8)),
        "voice": mm.branches.audio.conv2d(specs[2], filters=(4, 8), mel_bands=16),
        "meta": mm.branches.table.mlp(specs[3], units=(8,)),
    }
    return mm.fusion_model(specs, branches, mm.fusion.Attention(16, num_heads=2), heads)
