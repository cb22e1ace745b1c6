"""A model that learns to predict masked parts of its inputs from the rest and the other modalities."""

import math
from collections.abc import Mapping, Sequence

import keras

from mmkeras.checks import check
from mmkeras.contract import NamedModel
from mmkeras.losses import MaskedPatches, MaskedTokens, Matching
from mmkeras.models._parts import modalities
from mmkeras.specs import Spec

MATCHING = "matching"
BANDS = 16  # frequency bands whose energy is predicted for each masked span of a sound


def masked_model(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    fusion: keras.layers.Layer,
    *,
    name: str = "masked_model",
) -> "MaskedModel":
    """Ready tensors by name -> each branch -> fusion of tokens -> what was hidden, and whether the modalities match.

    It learns from examples without labels. `augment.masking` hides words and patches, and in some examples puts a
    modality of another one in place of the right one; what it took away are the labels:

        model = mm.masked_model(specs, branches, mm.fusion.CoAttention(128))
        model.compile("adam")
        masking = mm.augment.masking(model, mismatch="name")
        model.fit(mm.data.train_batches(raw, preprocess, heads=(), augment=[masking]), epochs=10)

    and `train.transfer` takes branches and fusion from there into a `fusion_model`.

    Args:
        specs: list of specs; texts without a preset, pictures and sounds are guessed, the others are in view.
        branches: dict, spec name -> branch, as in `fusion_model`. A text is guessed where its branch gives a token for
            each word (`pool=None`), a picture where it gives one for each patch of a grid, a sound where it gives two
            or more.
        fusion: `fusion.CoAttention`, `fusion.SingleStream` or `fusion.Bottleneck`, which give tokens back.
        name: of the model.

    Returns:
        `MaskedModel`, a functional `keras.Model`: dict of ready tensors -> dict of "NAME_masked", logits (B, T, N) of a
        text, patches (B, T, P) of a picture in [-1, 1], log powers (B, T, 16) of the spans of a sound; and, of two or
        more modalities, "matching", the probability (B, 1) that they belong together.

    Raises:
        ValueError: the fusion gives no tokens, or nothing is left to be guessed; or as `fusion_model`.

    Source: Lu et al., ViLBERT, arXiv 1908.02265, section 3.2: masked multi-modal modelling and alignment prediction;
    for pictures, pixels as in SimMIM, arXiv 2111.09886, in place of the classes of a detector.
    """
    inputs, tokens, masks = modalities(specs, branches)
    gives, remedy = getattr(fusion, "keeps_tokens", False), "Use mm.fusion.CoAttention, SingleStream or Bottleneck."
    check(gives, "masked_model needs a fusion that gives tokens back.", type(fusion).__name__, remedy)
    vector, joint, _ = fusion(tokens, masks, joint=True)
    pairs = [(spec, x) for spec, x in zip(specs, joint, strict=True) if _width(spec, x)]
    outputs = {f"{spec.name}_masked": _guess(spec, x) for spec, x in pairs}
    if len(specs) > 1:
        outputs[MATCHING] = keras.layers.Dense(1, "sigmoid", dtype="float32", name=MATCHING)(vector)
    shapes = {spec.name: tuple(x.shape) for spec, x in zip(specs, tokens, strict=True)}
    check(outputs, "Something must be left to be guessed.", f"tokens {shapes}", "Give text branches pool=None.")
    return MaskedModel.of(inputs, outputs, specs, (), name=name)


def _guess(spec, tokens):
    name = f"{spec.name}_masked"
    return keras.layers.Dense(_width(spec, tokens), dtype="float32", name=name)(tokens)


def _width(spec, tokens):
    """Number of values predicted for each token; 0 if nothing is predicted."""
    if spec.kind == "text" and spec.preset is None:
        return spec.ids if tokens.shape[1] != 1 else 0
    if spec.kind == "audio":
        count = tokens.shape[1] or 1
        return BANDS if count > 1 and spec.samples // count >= 2 * BANDS else 0
    if spec.kind == "image":
        return patch_side(spec, tokens.shape[1]) ** 2 * spec.channels
    return 0


def patch_side(spec, count):
    """The side of `count` square patches that cover a picture; 0 where there are none, or only one.

    Example:

    >>> import mmkeras as mm
    >>> patch_side(mm.Image("photo", size=(8, 12)), 6), patch_side(mm.Image("photo", size=(8, 12)), 5)
    (4, 0)
    """
    height, width = spec.size
    side = math.isqrt(height * width // count)
    whole = side and height % side == 0 and width % side == 0 and height * width == side**2 * count
    return side if whole and count > 1 else 0


@keras.saving.register_keras_serializable("mmkeras")
class MaskedModel(NamedModel):
    """What `masked_model` returns: a functional model that knows the losses of its outputs."""

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """As `keras.Model.compile`; `loss` is that of each output where it is None, `loss_weights` weigh them."""
        super().compile(optimizer, self._own_losses() if loss is None else loss, *args, **kwargs)

    def _own_losses(self):
        texts = {f"{spec.name}_masked" for spec in self.specs if spec.kind == "text"}
        return {name: Matching() if name == MATCHING else MaskedTokens() if name in texts else MaskedPatches()
                for name in self.output}  # fmt: skip
