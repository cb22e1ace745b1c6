from collections.abc import Mapping, Sequence

import keras
from keras import ops

from mmkeras.branches._recurrent import grus
from mmkeras.contract import NamedModel
from mmkeras.fusion import Aligned
from mmkeras.heads import Head
from mmkeras.layers import MaskedMean
from mmkeras.models._parts import dropped, modalities
from mmkeras.specs import Spec


def transcriber(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    heads: Sequence[Head],
    *,
    fusion: keras.layers.Layer | None = None,
    units: int = 128,
    num_layers: int = 1,
    bidirectional: bool = True,
    dropout: float = 0.0,
    modality_dropout: float | Mapping[str, float] = 0.0,
    name: str = "transcriber",
) -> NamedModel:
    """Synchronous modalities, joined time step by time step and read by GRUs: an answer for every time step.

    Branches give one token per time step, at the same rate: `audio.crnn` with `pool_sizes` that together span the time
    of one frame of `video.frames`. With `num_layers=0` they leave reading over time to the GRUs of this builder, which
    hear and see at once. Where lengths differ by one time step, the last one of the shorter is masked
    (`fusion.Aligned`).

    Args:
        specs: list of specs.
        branches: dict, spec name -> branch with one token per time step (`pool=None`).
        heads: list of heads. Those that read tokens (`heads.transcription`) get all time steps, others their mean.
        fusion: layer called as `fusion(tokens, masks)` -> joint tokens (B, T, D) and mask (B, T); None for
            `fusion.Aligned(units)`.
        units: width of the GRUs.
        num_layers: how many GRUs; 0 for none.
        bidirectional: read from both ends; otherwise a time step depends on those before it alone.
        dropout: share dropped of the output of each GRU while training.
        modality_dropout: as in `fusion_model`.
        name: of the model.

    Returns:
        A functional `keras.Model`, dict of ready tensors -> dict of outputs by head name.

    Raises:
        ValueError: as `fusion_model`; or the branches differ in their number of time steps, or have fewer than a label
            may need.

    Example:

    >>> import mmkeras as mm
    >>> spec = mm.Audio("voice", seconds=1.0, sample_rate=8000)
    >>> branch = mm.branches.audio.crnn(spec, filters=(4,), pool_sizes=((4, 8),), num_layers=0)
    >>> head = mm.heads.transcription("said", vocabulary=["yes", "no"], max_tokens=5)
    >>> mm.transcriber([spec], {"voice": branch}, [head], units=8).output["said"].shape
    (None, 24, 4)

    Source: Petridis et al., Audio-Visual Speech Recognition with a Hybrid CTC/Attention Architecture, arXiv 1810.00108,
    its joining of the streams' features at each time step, with GRUs; here with CTC alone.
    """
    inputs, tokens, masks = modalities(specs, branches, heads)
    fusion = Aligned(units, name="fusion") if fusion is None else fusion
    joint, mask = fusion(tokens, dropped(specs, masks, modality_dropout))
    x = grus(joint, mask, units, num_layers, bidirectional, dropout)
    # Drop Keras' implicit mask, about which layers without mask support would warn; the explicit mask replaces it.
    x = ops.copy(x)
    features = {"tokens": (x, mask), "vector": None}
    if any(head.reads == "vector" for head in heads):
        features["vector"] = MaskedMean(name="mean")(x, mask)
    outputs = {head.name: head.output(features[head.reads]) for head in heads}
    return NamedModel.of(inputs, outputs, specs, heads, name=name)
