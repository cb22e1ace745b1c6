"""Data sets of other libraries -> raw examples: Hugging Face `datasets`, and `tf.data` as TensorFlow Datasets gives it.

Neither library is imported; only `Dataset.features`, `cast_column`, `select_columns`, slices and the fingerprint of
Hugging Face data sets are used, and `element_spec` of `tf.data`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from mmkeras.checks import check_list
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.data.examples import Examples
from mmkeras.data.faults import check_on_error
from mmkeras.data.modalities import kind_of
from mmkeras.data.sources import hugging_face
from mmkeras.data.sources.stream import Stream, leaves, picker
from mmkeras.data.sources.tables import check_columns, from_dataframe
from mmkeras.data.weights import check_weights
from mmkeras.specs import Spec, check_specs

if TYPE_CHECKING:
    from mmkeras.heads import Head


def from_dataset(
    dataset: Any,
    specs: Sequence[Spec],
    heads: Sequence["Head"] = (),
    *,
    columns: Mapping[str, str | int] | None = None,
    on_error: str = "raise",
    sample_rate: int | None = None,
    weights: str | int | None = None,
) -> Examples | Stream:
    """Reads a data set of Hugging Face `datasets` or TensorFlow Datasets.

    A Hugging Face `Dataset` becomes `Examples`: its files are written once into the cache of `archives` (unless they
    are on disk already), in their own encoding and sample rate, so that memory use does not grow with them and no
    Python runs in the training loop. A `ClassLabel` is converted to its class name, which must be one of the head's
    classes.

    A `tf.data.Dataset` of dicts (or tuples) becomes a `Stream`, also a `tf.data.Dataset`, encoded losslessly in the
    graph: uint8 pixels as PNG (those of videos as a ZIP of PNGs, in Python); integer samples as 16-bit WAV (of any
    integer dtype, full scale is 32768), floats in [-1, 1] as 32-bit float WAV. Empty values are absent. Use the splits
    of the data set; `split` does not support streams. With `cache=`, `train_batches` encodes once per run and shuffles
    all examples.

    Args:
        dataset: `datasets.Dataset`; or an unbatched `tf.data.Dataset`, as `tfds.load(..., split=...)` gives it.
        specs: list of specs; each of their raw names is a column.
        heads: list of heads; each of their names is a column of labels: names of classes, or their numbers in
            `classes` (integers are names where all of the head's classes are integers, as 1 to 5 stars).
        columns: dict, raw or head name -> key in the data set if it differs: "a.b" for b within a, 0 and 1 for the
            elements of a tuple (`as_supervised=True`).
        on_error: "raise" or "skip", as in `from_dataframe`. A wrong label is always an error.
        sample_rate: sample rate of sounds that are stored as samples without a rate, in Hz.
        weights: key of the sample weights, as in `from_dataframe`.

    Returns:
        `Examples` or `Stream`.

    Raises:
        TypeError: the data set is of another type.
        ValueError: a column is missing or of the wrong kind, a class is unknown, or a sample rate is missing.

    Example:

    >>> import mmkeras as mm
    >>> pairs = tf.data.Dataset.from_tensor_slices((np.zeros((3, 8, 8, 1), "uint8"), [2, 0, 1]))
    >>> specs, heads = [mm.Image("photo", size=8)], [mm.heads.classification("kind", ["ant", "bee", "cat"])]
    >>> raw = mm.data.from_dataset(pairs, specs, heads, columns={"photo": 0, "kind": 1})
    >>> [int(example["kind"]) for example in raw]
    [2, 0, 1]
    """
    check_specs(specs)
    check_list("heads", heads)
    check_on_error(on_error)
    names = [name for spec in specs for name in spec.raw] + [head.name for head in heads]
    check_weights(weights, names)
    wanted = {name: str((columns or {}).get(name, name)) for name in names}
    wanted |= {} if weights is None else {SAMPLE_WEIGHT: str(weights)}
    if isinstance(dataset, tf.data.Dataset):
        check_columns(leaves(dataset.element_spec), wanted)
        return Stream(
            dataset,
            {name: picker(key) for name, key in wanted.items()},
            specs,
            heads,
            on_error=on_error,
            sample_rate=sample_rate,
        )
    _check_kind(dataset)
    check_columns(leaves(dict(dataset.features)), wanted)
    files = {wanted[spec.name]: spec for spec in specs if kind_of(spec).media}
    vectors = [wanted[spec.name] for spec in specs if kind_of(spec).paths and not kind_of(spec).media]
    frame = hugging_face.table(dataset, files, vectors, wanted.values(), sample_rate)
    for head in heads:
        frame[wanted[head.name]] = hugging_face.labels(head, frame[wanted[head.name]])
    return from_dataframe(
        frame, specs, heads, root=".", columns=wanted, on_error=on_error, weights=wanted.get(SAMPLE_WEIGHT)
    )


def _check_kind(dataset):
    is_dict = isinstance(dataset, dict)
    if is_dict or not all(hasattr(dataset, name) for name in ("features", "cast_column", "__len__", "_fingerprint")):
        received = f"a dict with {list(dataset)}" if is_dict else f"{type(dataset).__module__}.{type(dataset).__name__}"
        raise TypeError(
            f"from_dataset takes one datasets.Dataset or tf.data.Dataset. Received: {received}. Choose a part of a "
            'dict, dataset["train"]; load without streaming=True; or use from_dataframe.'
        )
    if (getattr(dataset, "format", None) or {}).get("type") == "custom":
        raise ValueError(
            "from_dataset reads stored columns only. Received: a data set with a transform (set_transform). Store its "
            "result with dataset.map(...), or drop it with dataset.reset_format()."
        )
