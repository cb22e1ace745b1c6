"""The cases: one for every public layer, branch, fusion and head; the promises are the files beside this one."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import pytest

import mmkeras as mm

TEXT = mm.Text("text", max_tokens=6, vocabulary_size=20)
IMAGE = mm.Image("image", size=(8, 12), optional=True)
PHOTO = mm.Image("photo", size=(32, 32), optional=True)
AUDIO = mm.Audio("audio", seconds=0.1, sample_rate=8000)
VIDEO = mm.Video("video", frames=4, size=(8, 8))
VECTOR = mm.Vector("vector", size=5, optional=True)
TABLE = mm.Table("table", numeric=["a", "b"], categorical=["c", "d"], max_categories=20)


@dataclasses.dataclass
class Case:
    """A small functional model of one public thing, and the inputs to feed it.

    Args:
        covers: the public thing.
        build: function without arguments -> functional model with dict inputs.
        length: of the axes that are free.
    """

    covers: object
    build: Callable
    length: int = 6

    def feed(self, model, batch=3, seed=0):
        """Random inputs; of each mask the first row is full, the second half, the third empty."""
        rng = np.random.default_rng(seed)
        return {name: self._random(rng, (batch, *(n or self.length for n in tensor.shape[1:])), tensor.dtype)
                for name, tensor in model.input.items()}  # fmt: skip

    def _random(self, rng, shape, dtype):
        if dtype == "bool":
            share = np.array([1.0, 0.5, 0.0])[np.arange(shape[0]) % 3]
            return np.arange(shape[1]) < np.ceil(share * shape[1])[:, None]
        if "int" in dtype:
            return rng.integers(0, 200 if dtype == "uint8" else 20, shape).astype(dtype)
        # Table rows hold category ids as floats; small whole numbers suit all other layers, too.
        return rng.integers(0, 5, shape).astype(dtype) + (rng.random(shape).astype(dtype) if shape[-1] != 4 else 0)

    def hidden(self, feed):
        """The same inputs with other values wherever a mask says that they do not count."""
        changed = dict(feed)
        for name, mask in feed.items():
            value = feed.get(name.removesuffix("_mask"))
            if name.endswith("_mask") and value is not None:
                shape = mask.shape + (1,) * (value.ndim - mask.ndim)
                mask = mask.reshape(shape) if mask.shape[1] > 1 else mask.reshape((-1,) + (1,) * (value.ndim - 1))
                changed[name.removesuffix("_mask")] = np.where(mask, value, (value + 1) % 20).astype(value.dtype)
        return changed


def case(covers, layer, length=6, **inputs):
    """A case of a layer that is called with the inputs in their order."""

    def build():
        tensors = {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in inputs.items()}
        return keras.Model(tensors, layer()(*tensors.values()))

    return Case(covers, build, length)


def fusion_case(covers, **arguments):
    """A case of a fusion of three tokens and one vector."""

    def build():
        x = {"a": keras.Input((3, 4), name="a"), "a_mask": keras.Input((3,), dtype="bool", name="a_mask"),
             "b": keras.Input((1, 5), name="b"), "b_mask": keras.Input((1,), dtype="bool", name="b_mask")}  # fmt: skip
        model = keras.Model(x, covers(**arguments)([x["a"], x["b"]], [x["a_mask"], x["b_mask"]]))
        rng = np.random.default_rng(0)
        for weight in model.trainable_weights:  # some weights start at zero, which would hide the tensors they multiply
            weight.assign(rng.normal(size=weight.shape) * 0.5)
        return model

    return Case(covers, build)


def combining_case(how):
    def build():
        x = {name: keras.Input((3,), name=name) for name in "ab"}
        masks = {f"{name}_mask": keras.Input((1,), dtype="bool", name=f"{name}_mask") for name in "ab"}
        answers = [keras.layers.Softmax()(tensor) for tensor in x.values()]
        return keras.Model(x | masks, mm.layers.CombineAnswers(how)(answers, list(masks.values())))

    return Case(mm.layers.CombineAnswers, build)


def dropout_case():
    def build():
        masks = {f"{name}_mask": keras.Input((3,), dtype="bool", name=f"{name}_mask") for name in "ab"}
        return keras.Model(masks, mm.layers.ModalityDropout(0.5, seed=1)(list(masks.values())))

    return Case(mm.layers.ModalityDropout, build)


def head_case(covers, head):
    def build():
        x = keras.Input((4,), name="x")
        return keras.Model({"x": x}, {head.name: head.output(x)})

    return Case(covers, build)


def time_steps_case(covers, head):
    """A case of a head that reads tokens."""

    def build():
        x = {"x": keras.Input((6, 4), name="x"), "x_mask": keras.Input((6,), dtype="bool", name="x_mask")}
        return keras.Model(x, {head.name: head.output(tuple(x.values()))})

    return Case(covers, build)


def decoding_case(function):
    """A case of a function of logits."""

    def build():
        x = {"x": keras.Input((6, 4), name="x")}
        return keras.Model(x, list(function(x["x"])))

    return Case(function, build)


def sequence_case(covers, head):
    """A case of a head that answers with ids, of weights so large that rounding makes no other token the best one."""

    def build():
        x = {"x": keras.Input((6, 4), name="x"), "x_mask": keras.Input((6,), dtype="bool", name="x_mask")}
        model = keras.Model(x, head.output(tuple(x.values())))
        rng = np.random.default_rng(0)
        for weight in model.trainable_weights:
            weight.assign(rng.normal(size=weight.shape))
        return model

    return Case(covers, build)


PRESET = {}


def pretrained():
    """A text whose tiny preset is there once a test runs."""
    return mm.Text("text", max_tokens=6, preset=PRESET["folder"])


def own_network():
    """A network of pictures, as a user might have one."""
    x = pixels = keras.Input((32, 32, 3))
    for i in range(2):
        x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name=f"conv_{i}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{i}")(x)
    return keras.Model(pixels, x)


def own_encoder():
    """A network of sounds that gives a token per 100 samples."""
    return keras.Sequential([keras.layers.Reshape((800, 1)), keras.layers.Conv1D(4, 100, strides=100)])


L, B, F, H = mm.layers, mm.branches, mm.fusion, mm.heads
MASK = ((6,), "bool")
CASES = {
    "CombineAnswers": combining_case("learned"),
    "CombineAnswers product": combining_case("product"),
    "AttentionBlock": case(
        L.AttentionBlock,
        lambda: L.AttentionBlock(4, num_heads=2, norm_x=True),
        q=((3, 4), "float32"),
        x=((6, 4), "float32"),
        x_mask=MASK,
    ),
    "BatchNorm": case(
        L.BatchNorm, lambda: lambda x, mask: [L.BatchNorm()(x, mask=mask), mask], x=((6, 4), "float32"), x_mask=MASK
    ),
    "DecoderBlock": case(
        L.DecoderBlock,
        lambda: L.DecoderBlock(4, num_heads=2),
        q=((3, 4), "float32"),
        x=((6, 4), "float32"),
        x_mask=MASK,
    ),
    "TokenDecoder": case(
        L.TokenDecoder,
        lambda: L.TokenDecoder(24, max_tokens=3, dim=4, num_heads=2),
        x=((6, 4), "float32"),
        x_mask=MASK,
        labels=((3,), "int32"),
    ),
    "GlobalLayerNorm": case(L.GlobalLayerNorm, L.GlobalLayerNorm, x=((6, 4), "float32"), x_mask=MASK),
    "GuardEmpty": case(L.GuardEmpty, L.GuardEmpty, x_mask=MASK),
    "LearnedTokens": case(L.LearnedTokens, lambda: L.LearnedTokens(2, dim=4), x=((6, 4), "float32")),
    "LogMel": case(L.LogMel, lambda: L.LogMel(8000, mel_bands=8), x=((800,), "float32"), x_mask=((800,), "bool")),
    "MFCC": case(L.MFCC, lambda: L.MFCC(3), x=((6, 8), "float32")),
    "MaskedMean": case(L.MaskedMean, L.MaskedMean, x=((6, 4), "float32"), x_mask=MASK),
    "ModalityDropout": dropout_case(),
    "ModalityTokens": fusion_case(L.ModalityTokens, dim=4),
    "PoolMask": case(L.PoolMask, lambda: L.PoolMask(2), x_mask=MASK),
    "PositionEmbedding": case(L.PositionEmbedding, L.PositionEmbedding, x=((6, 4), "float32")),
    "SpecAugment": case(L.SpecAugment, lambda: L.SpecAugment(seed=1), x=((6, 4), "float32"), x_mask=MASK),
    "TableFeatures": case(L.TableFeatures, lambda: L.TableFeatures(2, 20), x=((4,), "float32"), x_mask=((4,), "bool")),
    "TableTokens": case(L.TableTokens, lambda: L.TableTokens(2, 20, dim=4), x=((4,), "float32"), x_mask=((4,), "bool")),
    "Temperature": case(L.Temperature, lambda: L.Temperature(0.1, bias=-1.0), x=((4,), "float32")),
    "UnitVector": case(L.UnitVector, L.UnitVector, x=((4,), "float32"), x_mask=((1,), "bool")),
    "UnknownDropout": case(L.UnknownDropout, L.UnknownDropout, x=((6,), "int32")),
    "text.lstm": Case(B.text.lstm, lambda: B.text.lstm(TEXT, units=4, embed_dim=4, num_layers=2, bidirectional=True)),
    "text.lstm tokens": Case(B.text.lstm, lambda: B.text.lstm(TEXT, units=4, embed_dim=4, pool=None)),
    "text.gru": Case(B.text.gru, lambda: B.text.gru(TEXT, units=4, embed_dim=4, pool="mean")),
    "text.conv1d": Case(B.text.conv1d, lambda: B.text.conv1d(TEXT, filters=3, embed_dim=4)),
    "text.conv1d tokens": Case(
        B.text.conv1d, lambda: B.text.conv1d(TEXT, filters=3, widths=(2,), embed_dim=4, pool=None)
    ),
    "text.transformer": Case(B.text.transformer, lambda: B.text.transformer(TEXT, dim=8, num_heads=2, num_layers=1)),
    "text.pretrained": Case(B.text.pretrained, lambda: B.text.pretrained(pretrained(), train=1)),
    "image.conv2d": Case(B.image.conv2d, lambda: B.image.conv2d(IMAGE, filters=(4, 4))),
    "image.conv2d flat": Case(B.image.conv2d, lambda: B.image.conv2d(IMAGE, filters=(4, 4), pool="flatten")),
    "image.resnet": Case(B.image.resnet, lambda: B.image.resnet(PHOTO, depth=18, filters=4)),
    "image.mobilenet": Case(B.image.mobilenet, lambda: B.image.mobilenet(PHOTO, alpha=0.25, pool="mean")),
    "image.vit": Case(B.image.vit, lambda: B.image.vit(IMAGE, patch=4, dim=8, num_heads=2, num_layers=1)),
    "audio.conv2d": Case(B.audio.conv2d, lambda: B.audio.conv2d(AUDIO, filters=(4, 4), mel_bands=8)),
    "video.frames": Case(B.video.frames, lambda: B.video.frames(VIDEO, filters=(4, 4), units=4)),
    "video.frames attention": Case(
        B.video.frames, lambda: B.video.frames(VIDEO, filters=(4,), over_time="attention", units=4, num_heads=2)
    ),
    "video.conv2plus1d": Case(B.video.conv2plus1d, lambda: B.video.conv2plus1d(VIDEO, filters=(4, 4))),
    "audio.conv2d mfcc": Case(
        B.audio.conv2d, lambda: B.audio.conv2d(AUDIO, filters=(4,), mel_bands=8, mfcc=4, pool="mean")
    ),
    "audio.conv_tasnet": Case(
        B.audio.conv_tasnet,
        lambda: B.audio.conv_tasnet(AUDIO, dim=4, filters=6, hidden_dim=4, num_layers=2, frames_per_token=4),
    ),
    "audio.crnn alone": Case(
        B.audio.crnn, lambda: B.audio.crnn(AUDIO, filters=(4,), pool_sizes=((2, 4),), num_layers=0, mel_bands=8)
    ),
    "audio.crnn": Case(
        B.audio.crnn, lambda: B.audio.crnn(AUDIO, filters=(4,), pool_sizes=((2, 4),), units=4, mel_bands=8)
    ),
    "audio.transformer": Case(
        B.audio.transformer,
        lambda: B.audio.transformer(AUDIO, dim=8, num_heads=2, num_layers=1, patch=(4, 4), stride=(2, 3), mel_bands=8),
    ),
    "table.mlp": Case(B.table.mlp, lambda: B.table.mlp(TABLE, units=(4,), embed_dim=2)),
    "table.transformer": Case(
        B.table.transformer, lambda: B.table.transformer(TABLE, dim=8, num_heads=2, num_layers=1)
    ),
    "table.transformer tokens": Case(
        B.table.transformer, lambda: B.table.transformer(TABLE, dim=8, num_heads=2, num_layers=1, pool=None)
    ),
    "vector.linear": Case(B.vector.linear, lambda: B.vector.linear(VECTOR, dim=4)),
    "vector.linear as it is": Case(B.vector.linear, lambda: B.vector.linear(VECTOR, dim=4, normalise=False)),
    "from_model": Case(
        B.from_model, lambda: B.from_model(PHOTO, own_network(), rescale=(1 / 255, 0.0), pool="mean", train=2)
    ),
    "from_model tokens": Case(
        B.from_model,
        lambda: B.from_model(
            AUDIO,
            own_encoder(),
            mask=lambda ready: L.PoolMask(100)(ready["audio_mask"]),
        ),
    ),
    "Concatenate": fusion_case(F.Concatenate, dim=4),
    "WeightedSum": fusion_case(F.WeightedSum, dim=4),
    "WeightedSum fixed": fusion_case(F.WeightedSum, dim=4, alpha=0.3),
    "MLP": fusion_case(F.MLP, dim=4, hidden=(6, 5)),
    "Gated": fusion_case(F.Gated, dim=4),
    "LowRankBilinear": fusion_case(F.LowRankBilinear, dim=4, rank=2),
    "Bilinear": fusion_case(F.Bilinear, dim=4, factors=2),
    "TensorFusion": fusion_case(F.TensorFusion, dim=4, width=2),
    "FiLM": fusion_case(F.FiLM, dim=4),
    "FiLM mean": fusion_case(F.FiLM, dim=4, pool="mean"),
    "Aligned": fusion_case(F.Aligned, dim=4, slack=2),
    "Attention": fusion_case(F.Attention, dim=4, num_heads=2),
    "CrossAttention": fusion_case(F.CrossAttention, dim=4, num_heads=2),
    "CoAttention": fusion_case(F.CoAttention, dim=4, num_heads=2, num_layers=1),
    "SingleStream": fusion_case(F.SingleStream, dim=4, num_heads=2, num_layers=1),
    "Bottleneck": fusion_case(F.Bottleneck, dim=4, num_heads=2, num_bottlenecks=2, num_layers=2),
    "Perceiver": fusion_case(F.Perceiver, dim=4, num_heads=2, num_latents=3),
    "classification": head_case(H.classification, H.classification("y", ["a", "b", "c"])),
    "multi-label": head_case(H.classification, H.classification("y", ["a", "b"], multi_label=True)),
    "transcription": time_steps_case(H.transcription, H.transcription("y", vocabulary=["a", "b"], max_tokens=4)),
    "ctc_greedy": decoding_case(mm.decoding.ctc_greedy),
    "generation": sequence_case(H.generation, H.generation("y", vocabulary=["a", "b", "c"], max_tokens=4, dim=8)),
    "generation beams": sequence_case(
        H.generation, H.generation("y", vocabulary=["a", "b", "c"], max_tokens=3, dim=8, beams=3, length_penalty=0.5)
    ),
    "regression": head_case(H.regression, H.regression("y", size=2, mean=(1.0, 2.0), std=(3.0, 4.0))),
}


@pytest.fixture(scope="session", autouse=True)
def _preset(preset):
    PRESET["folder"] = preset


@pytest.fixture(params=CASES, scope="module")
def case_(request):
    return CASES[request.param]


@pytest.fixture(scope="session")
def cases():
    return CASES


@pytest.fixture(scope="session")
def case_specs():
    """The spec of each branch in the cases, by the name of the branch."""
    return {f"{spec.name}_branch": spec for spec in (TEXT, IMAGE, PHOTO, AUDIO, VIDEO, TABLE, VECTOR)}


def outputs(result):
    """The outputs of a model as a flat list of float arrays, the masks among them as 0 and 1."""
    return [np.asarray(keras.ops.cast(tensor, "float32")) for tensor in keras.tree.flatten(result)]


@pytest.fixture(scope="session")
def run():
    """Function (model, feed) -> flat list of output arrays."""
    return lambda model, feed: outputs(model({name: keras.ops.convert_to_tensor(v) for name, v in feed.items()}))
