"""Raw examples in, batches out.

from_csv, from_jsonl, from_dataframe   a table of texts, paths, numbers and labels -> `Examples`
from_dataset                           a data set of Hugging Face or TensorFlow Datasets -> `Examples`, or a `Stream`
write_tfrecord, from_tfrecord          raw examples in shards: written once, read in parallel, by several workers
Examples                               a `tf.data.Dataset` of raw examples that knows its table
split                                  `Examples` -> parts, stratified, by group, seeded
train_batches, eval_batches            raw -> ready -> batches of (inputs, labels[, weights]) for `model.fit`
select_inputs                              the same batches for a model that takes some of the inputs
generate                               real files drawn and synthesised, for trying things out
"""

from mmkeras.data import generate
from mmkeras.data.batches.pipeline import eval_batches, select_inputs, train_batches
from mmkeras.data.examples import Examples
from mmkeras.data.sources.datasets import from_dataset
from mmkeras.data.sources.stream import Stream
from mmkeras.data.sources.tables import from_csv, from_dataframe, from_jsonl
from mmkeras.data.splitting import split
from mmkeras.data.tfrecord.records import from_tfrecord, write_tfrecord

__all__ = [
    "Examples",
    "Stream",
    "eval_batches",
    "from_csv",
    "from_dataframe",
    "from_dataset",
    "from_jsonl",
    "from_tfrecord",
    "generate",
    "select_inputs",
    "split",
    "train_batches",
    "write_tfrecord",
]
