"""Files in `assets.extra`: a request to copy, the signatures, and warm-up requests."""

import base64
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mmkeras import __version__
from mmkeras.formats import manifest
from mmkeras.preprocess import RawLayer

WARMUP = "tf_serving_warmup_requests"  # the name TF Serving looks for


def rest_request(raw):
    """The body of `POST /v1/models/NAME:predict` for raw examples (n,), vectors (n, D).

    What is UTF-8 without control characters is a plain JSON string, other bytes are `{"b64": ...}`; the server reads
    both into the same kind of tensor. A vector is a list. A missing number is the token NaN, which the server takes
    though JSON does not.

    Example:

    >>> rest_request({"review": np.array([b"good"], object)})
    {'signature_name': 'serving_default', 'instances': [{'review': 'good'}]}

    Source: TensorFlow Serving, RESTful API, "Encoding binary values" and "JSON conformance".
    """
    rows = zip(*raw.values(), strict=True)
    instances = [{key: _json_value(value) for key, value in zip(raw, row, strict=True)} for row in rows]
    return {"signature_name": "serving_default", "instances": instances}


def _json_value(value):
    if not isinstance(value, bytes):
        return np.asarray(value, "float64").tolist()  # a float, or a (nested) list of floats
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    binary = any(ord(letter) < 32 and letter not in "\t\n\r" for letter in text)
    return {"b64": base64.b64encode(value).decode()} if binary else text


def write_json(folder, name, content, indent=2):
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    Path(folder, name).write_text(text + "\n", encoding="utf-8")


def versions():
    return {"mmkeras": __version__, "tensorflow": tf.__version__, "keras": keras.__version__}


def described_inputs(preprocess):
    """What `signature.json` says of the modalities: kind, arguments, and raw names with shape and dtype.

    Vocabularies, which may be large, and presets, which may be paths, are in the graph already. Of tables, it says
    what was learned of their columns.
    """
    layers = {layer.modality: layer for layer in preprocess.layers if isinstance(layer, RawLayer)}
    left_out, found = ("vocabulary", "preset"), []
    for spec in getattr(preprocess, "specs", ()):
        config = {key: value for key, value in spec.get_config().items() if key not in left_out}
        raw = {name: {"shape": list(each.shape), "dtype": each.dtype} for name, each in spec.raw.items()}
        found.append({"kind": spec.kind, **config, "raw": raw, **_statistics(layers.get(spec.name))})
    return found


def _statistics(layer):
    """Means, deviations and categories, for people who fill in a form; empty where a layer has none."""
    described = layer and layer.takes_columns and layer.describe()
    keys = ("numeric", "mean", "std", "categories")
    return {"statistics": {key: described[key] for key in keys if key in described}} if described else {}


def write_manifest(version):
    """Writes the checksums of all files of a version, except those of the model card, which people fill in."""
    files = [file for file in Path(version).rglob("*") if file.is_file() and file.name != "MODEL_CARD.md"]
    manifest.write(Path(version, "assets.extra", manifest.NAME), files, root=version)


def write_warmup(folder, model_name, requests):
    """Writes the requests that TF Serving replays before it calls a version ready.

    Args:
        folder: `assets.extra` of the version.
        model_name: that the server will use.
        requests: list of (signature, dict of input arrays).

    Returns:
        Whether it was written; it needs tensorflow-serving-api, `pip install "mmkeras[serving]"`.

    Source: TensorFlow Serving, "SavedModel Warmup".
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        return False
    with tf.io.TFRecordWriter(str(Path(folder, WARMUP))) as writer:
        for signature, inputs in requests:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = model_name, signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
    return True


def serialized_examples(raw, optional):
    """Raw examples as serialized `tf.Example` protos (n,), without the optional values that are absent."""
    rows = zip(*raw.values(), strict=True)
    protos = [_example(dict(zip(raw, row, strict=True)), optional) for row in rows]
    array = np.empty(len(protos), object)
    array[:] = protos
    return array


def _example(row, optional):
    there = {key: value for key, value in row.items() if key not in optional or not _is_absent(value)}
    return tf.train.Example(
        features=tf.train.Features(feature={key: _feature(value) for key, value in there.items()})
    ).SerializeToString()


def _is_absent(value):
    return not value if isinstance(value, bytes) else bool(np.isnan(value).all())


def _feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))
