"""Embeds two or more modalities into one space, in which matching examples are close."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from mmkeras.checks import check, check_whole, did_you_mean
from mmkeras.contract import NamedModel
from mmkeras.distribute.gather import overweight
from mmkeras.layers import MaskedMean, Temperature, UnitVector
from mmkeras.losses import Contrastive
from mmkeras.models._parts import modalities
from mmkeras.specs import Spec

LAYER = "temperature"


def dual_encoder(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    *,
    dim: int = 128,
    temperature: float = 0.07,
    max_scale: float = 100.0,
    bias: float | None = None,
    dropout: float = 0.0,
    name: str = "dual_encoder",
) -> "DualEncoder":
    """Ready tensors by name -> each branch -> one unit vector for each modality, by name.

    It is trained on pairs (triples, ...) without labels: what stands in one row belongs together.

        model = mm.dual_encoder(specs, {"photo": ..., "caption": ...}, dim=128)
        model.compile("adam", mm.losses.InfoNCE())
        model.fit(mm.data.train_batches(raw, preprocess, heads=(), batch_size=256), epochs=10)

    The vector of a modality is W x / |W x|, x the mean of its branch's tokens. That of an absent one is zeros, and it
    takes no part in the loss.

    Args:
        specs: list of two or more specs.
        branches: dict, spec name -> branch, as in `fusion_model`.
        dim: D, width of the space.
        temperature: of the softmax at the beginning; it is learned, see `layers.Temperature`.
        max_scale: 1 / temperature stays at or below it.
        bias: of the logits at the beginning, for `losses.SigLIP`; it is learned, too. None: there is none.
        dropout: share of each modality's mean that is dropped before W while training.
        name: of the model.

    Returns:
        `DualEncoder`, a functional `keras.Model`: dict of ready tensors -> dict of (B, D) float32 by spec name.

    Raises:
        ValueError: fewer than two specs; or as `fusion_model`.

    Example:

    >>> import mmkeras as mm
    >>> specs = [mm.Image("photo", size=(8, 8)), mm.Vector("caption", size=5)]
    >>> branches = {"photo": mm.branches.image.conv2d(specs[0], filters=(4,)),
    ...             "caption": mm.branches.vector.linear(specs[1], dim=4)}
    >>> model = mm.dual_encoder(specs, branches, dim=16)
    >>> {key: tensor.shape for key, tensor in model.output.items()}
    {'photo': (None, 16), 'caption': (None, 16)}

    Source: Radford et al., arXiv 2103.00020, section 2.4: linear projections of both encoders.
    """
    check_whole(name, dim=dim)
    inputs, tokens, masks = modalities(specs, branches)
    rule, remedy = "A dual encoder compares modalities: it needs two or more.", "Add one, or use mm.fusion_model."
    check(len(specs) > 1, rule, [spec.name for spec in specs], remedy)
    vectors = [_vector(spec, *pair, dim, dropout) for spec, *pair in zip(specs, tokens, masks, strict=True)]
    outputs = Temperature(temperature, most=max_scale, bias=bias, name=LAYER)(vectors)
    return DualEncoder.of(inputs, {spec.name: x for spec, x in zip(specs, outputs, strict=True)}, specs, (), name=name)


def _vector(spec, tokens, mask, dim, dropout):
    x = MaskedMean(name=f"{spec.name}_vector")(tokens, mask)
    x = keras.layers.Dropout(dropout, name=f"{spec.name}_dropout")(x) if dropout else x
    x = keras.layers.Dense(dim, use_bias=False, name=f"{spec.name}_project")(x)
    return UnitVector(name=f"{spec.name}_unit")(x, mask)


@keras.saving.register_keras_serializable("mmkeras")
class DualEncoder(NamedModel):
    """What `dual_encoder` returns: a functional model whose loss compares the outputs of a batch with each other.

    Compile it with a loss of `mmkeras.losses`. Batches hold inputs alone, or (inputs, labels[, weights]) where the loss
    has a `label`. In half precision, vectors, logits and loss are float32.
    """

    def tower(self, name: str) -> NamedModel:
        """The part from the ready tensors of one modality to its vectors (B, D) float32, under its name.

        Args:
            name: of the spec.

        Returns:
            A functional `keras.Model` that shares the weights.

        Raises:
            ValueError: there is no such modality.
        """
        spec = self.spec(name)
        inputs = {key: self.input[key] for key in spec.ready}
        return NamedModel.of(inputs, {name: self.get_layer(f"{name}_unit").output}, [spec], (), name=f"{name}_tower")

    def spec(self, name: str) -> Spec:
        """The spec of this name; ValueError where there is none."""
        names = [spec.name for spec in self.specs]
        rule = f"Model '{self.name}' has the modalities {names}."
        check(name in names, rule, repr(name), did_you_mean(name, names) or "Name one of them.")
        return self.specs[names.index(name)]

    @property
    def scale(self) -> Any:
        """() float32, 1 / temperature: what cosines are multiplied with in the logits."""
        return self.get_layer(LAYER).scale

    @property
    def bias(self) -> Any:
        """() float32 of the logits, or None."""
        return self.get_layer(LAYER).bias

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        rule = f"Model '{self.name}' is trained with a loss of mmkeras.losses."
        ok = isinstance(loss, Contrastive)
        check(ok, rule, f"loss={loss!r}", "Give loss=mm.losses.InfoNCE(), SigLIP() or SupervisedContrastive(label).")
        remedy = "Build the model with dual_encoder(bias=-10.0, temperature=0.1)."
        check(self.bias is not None or not loss.needs_bias, f"{type(loss).__name__} needs a bias.", "none", remedy)
        super().compile(optimizer, loss, *args, **kwargs)
        self._compile_loss = None  # Keras would treat the loss as that of a single output; `compute_loss` replaces it

    def fit(self, x=None, *args, **kwargs):
        self._check_parts(x)
        return super().fit(x, *args, **kwargs)

    def _check_parts(self, batches):
        replicas = getattr(getattr(self, "distribute_strategy", None), "num_replicas_in_sync", 1)
        shapes = [tensor.shape for tensor in keras.tree.flatten(getattr(batches, "element_spec", ()))]
        sizes = {shape[0] for shape in shapes if shape.rank}
        rule = f"Each of {replicas} replicas needs as many examples of a training batch."
        known = not sizes or None not in sizes
        remedy = "Give train_batches, or .batch(..., drop_remainder=True)."
        check(replicas == 1 or known, rule, "batches of unknown size", remedy)
        remedy = f"Give a batch_size that {replicas} divides, or use fewer devices."
        check(all(size % replicas == 0 for size in sizes if size), rule, f"batches of {sorted(sizes)}", remedy)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = self.loss(y_pred, y, sample_weight=sample_weight, scale=self.scale, bias=self.bias)
        if not training:  # the last batch of evaluation may be uneven across replicas
            loss = loss * overweight(keras.ops.shape(next(iter(y_pred.values())))[0])
        return loss + sum(map(self._aggregate_additional_loss, self.losses))

    def _labels(self, y, y_pred):
        return y  # labels are keyed by head, and this model has no heads
