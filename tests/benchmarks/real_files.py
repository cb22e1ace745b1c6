"""Two jobs on files that nobody here made (easy-VQA, FSDD), and the plain tf.data code that does the same by hand.

Read by `pipeline.py`. Without the sets, files are generated: the same formats, other content.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

import mmkeras as mm
from mmkeras.data.files.archives import on_disk

BATCH, RATE, SIDE = 64, 8000, 64
WAYS = {"files": "files -> ready", "memory": "cached in memory", "disk": "cached on disk", "tfrecord": "TFRecord"}


@dataclasses.dataclass
class Job:
    """A data set and what is read from it; `file` is the column of files, `decode` makes tensors of a file's bytes."""

    name: str
    specs: list
    heads: list
    frame: pd.DataFrame
    root: str
    file: str
    decode: Callable
    branches: Callable
    text: str | None = None

    @property
    def label(self):
        return self.heads[0].name


def jobs(data, folder, n):
    """The jobs that `data` (a folder, or None) has the sets for; generated ones where there is none."""
    data = Path(data) if data else None
    if data and (data / "easy-vqa").is_dir():
        rows = json.loads((data / "easy-vqa/train_questions.json").read_text(encoding="utf-8"))[:n]
        seen = pd.DataFrame(rows, columns=["question", "answer", "id"])
        seen["photo"] = seen.id.astype(str) + ".png"
        yield pictures("easy-VQA", seen, data / "easy-vqa/train_images.zip")
    if data and (data / "fsdd").is_dir():
        yield sounds("FSDD", pd.read_csv(data / "fsdd/train.tsv", sep="\t"), data / "fsdd/train.zip", "file", "digit")
    if not data or not any((data / name).is_dir() for name in ("easy-vqa", "fsdd")):
        path = mm.data.generate.scenes(folder, n=n, size=SIDE, sample_rate=RATE, seconds=0.5)
        table = pd.read_csv(path)
        yield pictures("generated pictures", table, path.parent)
        yield sounds("generated sounds", table, path.parent, "voice", "answer")


def pictures(name, frame, root):
    """A question and a picture -> an answer."""
    specs = [mm.Text("question", max_tokens=16, vocabulary_size=200), mm.Image("photo", size=(SIDE, SIDE))]
    heads = [mm.heads.classification("answer", sorted(frame.answer.unique()))]

    def decode(content):
        pixels = tf.io.decode_image(content, 3, expand_animations=False)
        return {"photo": tf.ensure_shape(pixels, (SIDE, SIDE, 3))}

    def branches():
        return {"question": mm.branches.text.lstm(specs[0], units=32, embed_dim=32),
                "photo": mm.branches.image.conv2d(specs[1], filters=(8, 16, 16), pool="mean")}  # fmt: skip

    return Job(name, specs, heads, frame, str(root), "photo", decode, branches, "question")


def sounds(name, frame, root, file, label):
    """A sound of at most a second -> a class."""
    specs = [mm.Audio("voice", seconds=1.0, sample_rate=RATE)]
    frame = pd.DataFrame({"voice": frame[file], "said": frame[label].astype(str)})
    heads = [mm.heads.classification("said", sorted(frame.said.unique()))]

    def decode(content):
        wave = tf.audio.decode_wav(content, 1)[0][:RATE, 0]
        mask = tf.sequence_mask(tf.size(wave), RATE)
        return {"voice": tf.ensure_shape(tf.pad(wave, [[0, RATE - tf.size(wave)]]), (RATE,)), "voice_mask": mask}

    def branches():
        return {"voice": mm.branches.audio.conv2d(specs[0], filters=(8, 16), mel_bands=32, pool="mean")}

    return Job(name, specs, heads, frame, str(root), "voice", decode, branches)


def through_mmkeras(job, way, folder):
    """Batches of this package, ready for `fit`."""
    raw = mm.data.from_dataframe(job.frame, job.specs, job.heads, root=job.root)
    preprocess = mm.adapt(mm.preprocessor(job.specs), raw, verbose=False)
    if way == "tfrecord":
        pattern = Path(folder) / "mmkeras" / "train-*.tfrecord"
        mm.data.write_tfrecord(raw, job.specs, job.heads, pattern, shards=4, overwrite=True, verbose=False)
        raw = mm.data.from_tfrecord(pattern, job.specs, job.heads)
    cache = {"memory": "memory", "disk": Path(folder) / "mmkeras-cache"}.get(way)
    return mm.data.train_batches(raw, preprocess, job.heads, batch_size=BATCH, cache=cache, verbose=False)


def by_hand(job, way, folder):
    """Decoding in parallel, example by example; text by the batch; cached as decoded, shuffled, prefetched."""
    labels = job.frame[job.label].map(job.heads[0].classes.index).to_numpy("int32")
    paths = (on_disk(job.root) + "/" + job.frame[job.file]).to_numpy()
    texts = job.frame[job.text].to_numpy() if job.text else np.full(len(labels), "")
    if way == "tfrecord":
        data = _records(texts, paths, labels, Path(folder) / "by-hand").map(
            lambda record: _decoded(job, _parsed(record)), tf.data.AUTOTUNE
        )
    else:
        data = tf.data.Dataset.from_tensor_slices({"text": texts, "file": paths, "label": labels})
        data = data.shuffle(len(labels)) if way == "files" else data
        data = data.map(lambda row: _decoded(job, row | {"file": tf.io.read_file(row["file"])}), tf.data.AUTOTUNE)
    if way in ("memory", "disk"):
        data = data.cache(str(Path(folder) / "by-hand-cache") if way == "disk" else "").shuffle(len(labels))
    data = data.batch(BATCH, drop_remainder=True)
    return data.map(_with_ids(job, texts), tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _decoded(job, row):
    return row["text"], job.decode(row["file"]), row["label"]


def _with_ids(job, texts):
    if not job.text:
        return lambda text, ready, label: (ready, {job.label: label})
    words = keras.layers.TextVectorization(max_tokens=200, output_sequence_length=16)
    words.adapt(texts)

    def finish(text, ready, label):
        ids = words(text)
        return ready | {job.text: tf.cast(ids, tf.int32), f"{job.text}_mask": ids != 0}, {job.label: label}

    return finish


def _records(texts, paths, labels, folder, shards=4):
    folder.mkdir(parents=True, exist_ok=True)
    files = [str(folder / f"{i}.tfrecord") for i in range(shards)]
    writers = [tf.io.TFRecordWriter(file) for file in files]
    for i, (text, path, label) in enumerate(zip(texts, paths, labels, strict=True)):
        text, content = (tf.train.BytesList(value=[value]) for value in (text.encode(), Path(path).read_bytes()))
        feature = {"text": tf.train.Feature(bytes_list=text), "file": tf.train.Feature(bytes_list=content),
                   "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))}  # fmt: skip
        writers[i % shards].write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    for writer in writers:
        writer.close()
    data = tf.data.Dataset.from_tensor_slices(files).shuffle(shards)
    return data.interleave(tf.data.TFRecordDataset, shards, num_parallel_calls=tf.data.AUTOTUNE).shuffle(10_000)


def _parsed(record):
    features = {"text": tf.io.FixedLenFeature((), tf.string), "file": tf.io.FixedLenFeature((), tf.string),
                "label": tf.io.FixedLenFeature((), tf.int64)}  # fmt: skip
    row = tf.io.parse_single_example(record, features)
    return row | {"label": tf.cast(row["label"], tf.int32)}
