"""Where a convolutional branch looks (Grad-CAM), and what a fusion reads (attention)."""

import contextlib
import inspect
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.evaluate import _graph
from mmkeras.evaluate._scalars import scalar
from mmkeras.layers import AttentionBlock


def grad_cam(
    model: keras.Model,
    ready: Mapping[str, Any],
    *,
    modality: str,
    head: str | None = None,
    target: str | int | None = None,
) -> np.ndarray:
    """Grad-CAM of one modality: how much each place of the last 2D convolution of its branch speaks for a class.

    Coarser than `explain`, and without its sum: what speaks against the class is left out.

    Args:
        model: functional model of a builder of this package.
        ready: dict of ready tensors (1, ...), of one example.
        modality: name of a spec whose branch has a Conv2D layer: a picture, a spectrogram, or frames (one map each).
        head, target: as in `explain`.

    Returns:
        float array (H, W) of 0 or more, of the size of the feature map; (F, H, W) of frames.

    Raises:
        ValueError: the branch has no Conv2D layer.

    Example:

    >>> import mmkeras as mm
    >>> spec, head = mm.Image("photo", size=(8, 8)), mm.heads.classification("kind", classes=["cat", "dog"])
    >>> branch = mm.branches.image.conv2d(spec, filters=(4,))
    >>> model = mm.fusion_model([spec], {"photo": branch}, mm.fusion.Concatenate(4), [head])
    >>> grad_cam(model, {"photo": np.zeros((1, 8, 8, 3), "uint8")}, modality="photo").shape
    (8, 8)

    Source: Selvaraju et al., Grad-CAM, arXiv 1610.02391, eq. 1 and 2.
    """
    feed = {name: tf.convert_to_tensor(ready[name]) for name in model.input}
    asked = scalar(model, feed, head=head, target=target)
    feed |= {name: tf.convert_to_tensor(value) for name, value in asked.feed.items()}
    scope, layer = _last_convolution(model, modality)
    maps = []
    with tf.GradientTape() as tape:

        def watched(output):
            tape.watch(output)
            maps.append(output)
            return output

        seen = []
        outputs = _graph.run(asked.model, feed, {(scope, id(layer)): watched}, seen)[asked.head]
        score = asked.of(_logits(seen, asked, outputs))
    weights = tf.reduce_mean(tape.gradient(score, maps[0]), axis=(1, 2), keepdims=True)
    found = tf.nn.relu(tf.reduce_sum(weights * maps[0], axis=-1)).numpy()
    return found[0] if len(found) == 1 else found


def _logits(seen, asked, outputs):
    """What the probabilities are made of, as in the paper: the gradient of one that is 1 in float32 is 0."""
    name = f"{asked.head}_logits"
    found = [output for _, operation, output in seen if operation.name == name and asked.measure == "score"]
    return found[0] if found else outputs


def _last_convolution(model, modality):
    branch, scope, name = _graph.readers(model, modality)
    layers = [layer for layer, _ in _graph.entries(branch, name) if type(layer).__name__ == "Conv2D"]
    if not layers:
        raise ValueError(
            f"Grad-CAM needs a branch with a Conv2D layer. Received: '{modality}', whose branch has none. "
            "evaluate.explain works for every branch."
        )
    return scope, layers[-1]


def attention(model: keras.Model, ready: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What the fusion's attention reads, for the example.

    Args:
        model: functional model of a builder of this package.
        ready: dict of ready tensors (B, ...).

    Returns:
        Dict, name of an attention block of the fusion -> float array (B, heads, Q, T): how much each of Q readers takes
        from each of T tokens. T are the tokens of all modalities in the order of the specs, where the block reads all
        of them at once. Empty for a fusion without attention.

    Example:

    >>> import mmkeras as mm
    >>> spec, head = mm.Text("note", vocabulary_size=9), mm.heads.classification("kind", classes=["cat", "dog"])
    >>> branch = mm.branches.text.lstm(spec, units=4, pool=None)
    >>> model = mm.fusion_model([spec], {"note": branch}, mm.fusion.Attention(8, num_layers=1), [head])
    >>> ready = {"note": np.ones((1, 3), "int32"), "note_mask": np.ones((1, 3), bool)}
    >>> [(name, weights.shape) for name, weights in attention(model, ready).items()]
    [('step_0', (1, 4, 2, 3))]
    """
    blocks = [each for layer in model.layers if _graph.inside(layer) is None for each in layer._flatten_layers()
              if isinstance(each, AttentionBlock)]  # fmt: skip
    found = {}
    with contextlib.ExitStack() as stack:
        for block in blocks:
            stack.enter_context(_recorded(block, found))
        model({name: tf.convert_to_tensor(ready[name]) for name in model.input}, training=False)
    return found


def attention_shares(model: keras.Model, ready: Mapping[str, Any]) -> dict[str, float]:
    """How much of its attention the fusion gives to each modality, on average over blocks, heads and readers.

    Args:
        model, ready: as in `attention`.

    Returns:
        Dict, name of a modality -> share; of the blocks that read all modalities at once. Empty where there is none.
    """
    lengths, seen = {}, []
    _graph.run(model, {name: tf.convert_to_tensor(ready[name]) for name in model.input}, seen=seen)
    for spec in model.specs:
        branch, scope, _ = _graph.readers(model, spec.name)
        outputs = [output for own, operation, output in seen if own == scope and _graph.inside(operation) is branch]
        if outputs:
            lengths[spec.name] = outputs[0][1].shape[1]
    ends = np.cumsum(list(lengths.values()))
    blocks = [each for each in attention(model, ready).values() if len(ends) and each.shape[-1] == ends[-1]]
    if not blocks:
        return {}
    mean = np.mean([each.mean((0, 1, 2)) for each in blocks], axis=0)
    return {name: float(part.sum()) for name, part in zip(lengths, np.split(mean, ends[:-1]), strict=True)}


@contextlib.contextmanager
def _recorded(block, found):
    """Within, the attention of a block also tells its weights, which Keras computes and drops."""
    layer, compute = block.read, block.read._compute_attention
    signature = inspect.signature(compute)

    def computed(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        output, weights = compute(**given | {"return_attention_scores": True})
        found[block.name] = np.asarray(weights)
        return output, weights

    layer._compute_attention = computed
    try:
        yield
    finally:
        del layer._compute_attention
