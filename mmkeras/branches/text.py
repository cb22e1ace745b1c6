"""Text branches: token ids (B, T) -> tokens.

The embedding has `spec.ids` rows: build the branch from `preprocess.specs`, which know how many ids `adapt` learned.

>>> import mmkeras as mm
>>> branch = lstm(mm.Text("review", vocabulary_size=100), units=16)
>>> branch.output_shape
[(None, 1, 16), (None, 1)]
"""

import keras
from keras import ops

from mmkeras.branches._backbone import Backbone
from mmkeras.branches._model import branch, check_pool, inputs, mean_token, one_token
from mmkeras.checks import check, check_whole
from mmkeras.layers import GuardEmpty, UnknownDropout
from mmkeras.presets import load_preset, wants_exact_gelu
from mmkeras.specs import Text

__all__ = ["conv1d", "gru", "lstm", "pretrained", "transformer"]


def lstm(
    spec: Text,
    *,
    units: int = 128,
    embed_dim: int = 128,
    num_layers: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    pool: str | None = "last",
    unknown_rate: float = 0.02,
) -> keras.Model:
    """Embedding + LSTM: a strong default for short texts, sensitive to word order and small.

    Masking: padding is skipped, wherever it is; a text without tokens gives a masked token.

    Args:
        spec: `mm.Text`.
        units: width of the LSTM; D = units, or 2 * units where bidirectional.
        embed_dim: width of the word vectors.
        num_layers: number of stacked LSTMs.
        bidirectional: whether the LSTMs run in both directions.
        dropout: dropout rate of the word vectors and of each layer's output.
        pool: "last", the state after the last real token (T = 1); "mean" of all states (T = 1); None, every state.
        unknown_rate: share of the words replaced by the unknown one while training, so that its embedding is trained;
            see `layers.UnknownDropout`, and `augment.text` for more.

    Returns:
        keras.Model, `{name: (B, T) int32, name_mask: (B, T) bool}` -> tokens (B, T or 1, D) and their mask.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.
    """
    options = units, embed_dim, num_layers, bidirectional, dropout, pool, unknown_rate
    return _recurrent(keras.layers.LSTM, spec, *options)


def gru(
    spec: Text,
    *,
    units: int = 128,
    embed_dim: int = 128,
    num_layers: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
    pool: str | None = "last",
    unknown_rate: float = 0.02,
) -> keras.Model:
    """Embedding + GRU: a quarter fewer weights than `lstm`, often as accurate.

    Args, masking and result: as `lstm`.

    Source: Cho et al., arXiv 1406.1078.
    """
    options = units, embed_dim, num_layers, bidirectional, dropout, pool, unknown_rate
    return _recurrent(keras.layers.GRU, spec, *options)


def _recurrent(layer, spec, units, embed_dim, num_layers, bidirectional, dropout, pool, unknown_rate):
    check_pool(spec, pool, ("last", "mean", None))
    check_whole(spec.name, units=units, embed_dim=embed_dim, num_layers=num_layers)
    ready = _inputs(spec)
    ids, mask = ready.values()
    readable = GuardEmpty(name="readable")(mask)
    ids = UnknownDropout(unknown_rate, name="unknown")(ids)
    x = _embedding(spec, embed_dim, dropout)(ids)
    for i in range(num_layers):
        whole = pool != "last" or i < num_layers - 1
        name = f"{layer.__name__.lower()}_{i}"
        recurrent = layer(units, return_sequences=whole, name=name)
        x = (keras.layers.Bidirectional(recurrent, name=f"bi{name}") if bidirectional else recurrent)(x, mask=readable)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    pooled = {"last": one_token, "mean": mean_token, None: lambda x, mask: (x, mask)}[pool]
    return branch(spec, ready, *pooled(x, mask))


def _inputs(spec):
    if getattr(spec, "preset", None) is not None:
        raise ValueError(
            f"The ids of a preset's tokenizer are for text.pretrained. Received: '{spec.name}' with preset="
            f"'{spec.preset}'. Use text.pretrained, or a spec without a preset."
        )
    return inputs(spec, "text")


def _embedding(spec, embed_dim, dropout):
    embedding = keras.layers.Embedding(spec.ids, embed_dim, name="embedding")
    if not dropout:
        return embedding
    return lambda ids: keras.layers.Dropout(dropout)(embedding(ids))


def conv1d(
    spec: Text,
    *,
    filters: int = 128,
    widths: tuple[int, ...] = (3, 4, 5),
    embed_dim: int = 128,
    dropout: float = 0.5,
    pool: str | None = "max",
    unknown_rate: float = 0.02,
) -> keras.Model:
    """Embedding + parallel convolutions over the words: looks for telling phrases of a few words, wherever they stand.

    Prefer it to `lstm` where single phrases decide, as in sentiment and topics: all words are read at once, so that it
    trains several times faster. Prefer `lstm` or `transformer` where distant words belong together.

    Masking: padding is zeros to the convolutions and no place of the maximum; a text without tokens comes out masked.

    Args:
        spec: `mm.Text`.
        filters: outputs of each convolution; D = filters * len(widths).
        widths: how many words each convolution sees.
        embed_dim: width of the word vectors.
        dropout: share of the output that is dropped while training.
        pool: "max" the largest value of each filter (T = 1), "mean" its mean (T = 1), None one token for each word.
        unknown_rate: as in `lstm`.

    Returns:
        keras.Model, `{name: (B, T) int32, name_mask: (B, T) bool}` -> tokens (B, T or 1, D) and their mask.

    Raises:
        ValueError: no widths, or one that is no whole number above 0.

    Source: Kim, arXiv 1408.5882, equations 1 to 3. A window is centred on each word, so that a text may be shorter than
    it; there, windows lie within the text. The norm of weights is not limited, and all word vectors are learned.
    """
    check_pool(spec, pool, ("max", "mean", None))
    check(len(widths), f"widths of '{spec.name}' must name a convolution.", f"{widths!r}", "Give (3, 4, 5).")
    sizes = {f"widths[{i}]": width for i, width in enumerate(widths)}
    check_whole(spec.name, filters=filters, embed_dim=embed_dim, **sizes)
    ready = _inputs(spec)
    ids, mask = ready.values()
    ids = UnknownDropout(unknown_rate, name="unknown")(ids)
    real = ops.expand_dims(mask, -1)
    x = keras.layers.Embedding(spec.ids, embed_dim, name="embedding")(ids)
    x = ops.where(real, x, ops.zeros_like(x))
    convolved = [
        keras.layers.Conv1D(filters, width, padding="same", activation="relu", name=f"conv_{i}")(x)
        for i, width in enumerate(widths)
    ]
    x = ops.concatenate(convolved, axis=-1) if len(widths) > 1 else convolved[0]
    if pool == "max":  # ReLU outputs are never negative, so masked positions set to zero never exceed the maximum
        x, mask = one_token(ops.max(ops.where(real, x, ops.zeros_like(x)), axis=1), mask)
    elif pool == "mean":
        x, mask = mean_token(x, mask)
    return branch(spec, ready, keras.layers.Dropout(dropout, name="dropout")(x), mask)


def transformer(
    spec: Text,
    *,
    dim: int = 128,
    num_heads: int = 4,
    feedforward_dim: int | None = None,
    num_layers: int = 2,
    dropout: float = 0.1,
    pool: str | None = None,
    unknown_rate: float = 0.02,
) -> keras.Model:
    """Word and position embeddings + Transformer encoder blocks.

    Prefer it to `lstm` for longer texts, for large data sets, and before `fusion.Attention`.

    Masking: no token attends to padding.

    Args:
        spec: `mm.Text`; positions are learned up to its `max_tokens`.
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        feedforward_dim: width of each block's hidden layer, 2 * dim by default.
        num_layers: number of blocks.
        dropout: dropout rate in each block.
        pool: None, every token; "mean" of the tokens (T = 1).
        unknown_rate: as in `lstm`.

    Returns:
        keras.Model, `{name: (B, T) int32, name_mask: (B, T) bool}` -> tokens (B, T or 1, D) and their mask.

    Source: Vaswani et al., arXiv 1706.03762; blocks and embeddings are keras-hub's.
    """
    import keras_nlp  # imported here because it takes seconds

    check_pool(spec, pool, ("mean", None))
    check_whole(spec.name, dim=dim, num_heads=num_heads, feedforward_dim=feedforward_dim or 2 * dim)
    ready = _inputs(spec)
    ids, mask = ready.values()
    embed = keras_nlp.layers.TokenAndPositionEmbedding(spec.ids, spec.max_tokens, dim, name="embedding")
    x = keras.layers.Dropout(dropout)(embed(UnknownDropout(unknown_rate, name="unknown")(ids)))
    for i in range(num_layers):
        block = keras_nlp.layers.TransformerEncoder(feedforward_dim or 2 * dim, num_heads, dropout, name=f"block_{i}")
        x = block(x, padding_mask=mask)
    return branch(spec, ready, *(mean_token(x, mask) if pool else (x, mask)))


def pretrained(
    spec: Text, *, train: str | int = "all", dropout: float | None = None, pool: str | None = "cls"
) -> keras.Model:
    """A pretrained encoder of the BERT family: BERT, DistilBERT, ELECTRA, ALBERT, DeBERTa-v3, XLM-RoBERTa.

    Prefer it for rich texts and few labelled examples. With `train="all"` a small learning rate is needed (2e-5 to
    5e-5), or `train.discriminative` to set one for this branch only.

    Folders of Hugging Face (`config.json`, `model.safetensors`, `vocab.txt`) are presets, too: `pip install
    "mmkeras[weights]"`. Where their config asks for the exact GELU, as those of BERT and MiniLM do, it is computed.

    Masking: padding is attended by no token; a text without tokens gives a masked token.

    Args:
        spec: `mm.Text` with a `preset`, whose weights are loaded here and saved with the model.
        train: "all", "none", or the number of last blocks to train. Dropout is off in frozen blocks.
        dropout: dropout rate of the encoder; None for that of the preset.
        pool: "cls", the pooled output of the [CLS] token (T = 1); "mean" of the tokens (T = 1); None, every token.

    Returns:
        keras.Model, `{name: (B, T) int32, name_mask: (B, T) bool}` -> tokens (B, T or 1, D) and their mask.

    Raises:
        ValueError: the spec has no preset, or it cannot be loaded, is not of the BERT family, or has fewer positions
            than `max_tokens`; or `train` is invalid.

    Source: Devlin et al., arXiv 1810.04805; models and weights are keras-hub's.
    """
    check_pool(spec, pool, ("cls", "mean", None))
    ready = inputs(spec, "text")
    ids, mask = ready.values()
    encoder = _encoder(spec, dropout, pool)
    feed = {"token_ids": ids, "padding_mask": ops.cast(mask, "int32"), "segment_ids": ops.zeros_like(ids)}
    x = Backbone(encoder, train, name="backbone")({name: feed[name] for name in encoder.input})
    if pool == "cls":
        return branch(spec, ready, *one_token(x if len(x.shape) == 2 else x[:, 0], mask))
    return branch(spec, ready, *(mean_token(x, mask) if pool else (x, mask)))


def _encoder(spec, dropout, pool):
    """The preset's encoder as a functional model with the single output that is used."""
    import keras_nlp  # imported here because it takes seconds

    if spec.preset is None:
        raise ValueError(
            f"text.pretrained needs a preset. Received: '{spec.name}' without one. "
            f'Give mm.Text("{spec.name}", preset="bert_tiny_en_uncased"), or the path of a folder.'
        )
    options = {"dtype": keras.config.dtype_policy()} | ({} if dropout is None else {"dropout": dropout})
    encoder = load_preset(keras_nlp.models.Backbone, spec.preset, **options)
    known, taken = {"token_ids", "padding_mask"}, set(encoder.input)
    if not known <= taken <= known | {"segment_ids"}:
        raise ValueError(
            f"The encoder of '{spec.name}' must take token ids and their mask. Received: {type(encoder).__name__}, "
            f"which takes {sorted(taken)}. Take a preset of BERT, DistilBERT, ELECTRA, ALBERT, DeBERTa or XLM-RoBERTa."
        )
    if spec.max_tokens > getattr(encoder, "max_sequence_length", spec.max_tokens):
        raise ValueError(
            f"The preset of '{spec.name}' has {encoder.max_sequence_length} positions. Received: "
            f"max_tokens={spec.max_tokens}. Give fewer."
        )
    output = encoder.output
    if isinstance(output, dict):
        output = output["pooled_output" if pool == "cls" else "sequence_output"]
    model = keras.Model(encoder.input, output, name=encoder.name)
    return _with_exact_gelu(model) if wants_exact_gelu(spec.preset) else model


def _with_exact_gelu(model):
    """The same model, whose blocks compute GELU by the error function instead of tanh."""
    import keras_nlp  # imported here, since it takes seconds

    def copied(layer):
        config = layer.get_config()
        if isinstance(layer, keras_nlp.layers.TransformerEncoder):
            config |= {"activation": "gelu"}
        return type(layer).from_config(config)

    exact = keras.models.clone_model(model, clone_function=copied)
    exact.set_weights(model.get_weights())
    return exact
