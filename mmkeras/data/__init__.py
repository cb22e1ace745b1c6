"""Raw examples in, batches out.

from_csv, from_jsonl, from_dataframe   a table of texts, paths, numbers and labels -> `Examples`
from_dataset                           a data set of Hugging Face or TensorFlow Datasets -> `Examples`, or a `Stream`
write_tfrecord, from_tfrecord          raw examples in shards: written once, read in parallel, by several workers
Examples                               a `tf.data.Dataset` of raw examples that knows its table
split                                  `Examples` -> parts, stratified, by group, seeded, or in the order of time
kfold                                  `Examples` -> (train, test) for each fold of a cross-validation
train_batches, eval_batches            raw -> ready -> batches of (inputs, labels[, weights]) for `model.fit`
python -m mmkeras.data.service         a server that prepares the batches of trainers on other machines
select_inputs                          the same batches for a model that takes some of the inputs
show                                       what the model is fed, to look at in a notebook or a browser
generate                               real files drawn and synthesised, for trying things out
"""

from mmkeras.data import generate
from mmkeras.data.batches.pipeline import eval_batches, select_inputs, train_batches
from mmkeras.data.examples import Examples
from mmkeras.data.folding import kfold
from mmkeras.data.sources.datasets import from_dataset
from mmkeras.data.sources.stream import Stream
from mmkeras.data.sources.tables import from_csv, from_dataframe, from_jsonl
from mmkeras.data.splitting import split
from mmkeras.data.tfrecord.records import from_tfrecord, write_tfrecord
from mmkeras.data.viewing.show import show

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
    "kfold",
    "select_inputs",
    "show",
    "split",
    "train_batches",
    "write_tfrecord",
]
