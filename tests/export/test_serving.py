import base64
import json

import numpy as np
import tensorflow as tf

from mmkeras.export._saved_model.serving import WARMUP, rest_request, serialized_examples
from mmkeras.export.samples import raw_samples


def as_the_server_reads(body, signature):
    """TF Serving's row format: one tensor per name, stacked over the instances; {"b64"} are bytes."""
    request = json.loads(body)
    specs = signature.structured_input_signature[1]
    assert set(request) == {"signature_name", "instances"} and request["signature_name"] == "serving_default"

    def value(item):
        return base64.b64decode(item["b64"], validate=True) if isinstance(item, dict) else item

    assert all(set(instance) == set(specs) for instance in request["instances"])
    return {
        key: tf.constant([value(instance[key]) for instance in request["instances"]], spec.dtype)
        for key, spec in specs.items()
    }


def test_the_request_feeds_the_signature(exported, parts, raw):
    signature = exported.loaded.signatures["serving_default"]
    body = (exported.path / "assets.extra" / "request.json").read_text(encoding="utf-8")
    fed = as_the_server_reads(body, signature)
    samples = raw_samples(parts.preprocess, raw)
    for key, tensor in fed.items():
        assert tensor.numpy().tolist() == samples[key][:2].tolist()
    assert '"review": "good day"' in body and '"b64"' in body
    answers = signature(**fed)
    assert answers["mood_scores"].shape == (2, 3) and answers["mood"].numpy()[0] in answers["mood_classes"].numpy()[0]


def test_rest_request_keeps_every_byte():
    values = [b"", "Grün\n".encode(), b"\x00\x01", b"\xff\xfe>?", b"tail\x00"]
    request = json.loads(json.dumps(rest_request({"x": np.array(values, object)})))
    items = [instance["x"] for instance in request["instances"]]
    assert [isinstance(item, dict) for item in items] == [False, False, True, True, True]
    read = [base64.b64decode(item["b64"]) if isinstance(item, dict) else item.encode() for item in items]
    assert read == values


def test_the_warmup_requests_can_be_replayed(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    records = list(tf.data.TFRecordDataset(str(exported.path / "assets.extra" / WARMUP)).as_numpy_iterator())
    assert exported.report["warmup"] == f"{len(records)} requests" and len(records) == 2
    for record in records:
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "scenes"
        inputs = {key: tf.constant(tf.make_ndarray(proto)) for key, proto in request.inputs.items()}
        answers = exported.loaded.signatures[request.model_spec.signature_name](**inputs)
        assert answers["stars"].shape == (len(inputs["review"]), 2)


def test_serialized_examples_leave_out_what_is_absent():
    raw = {"photo": np.array([b"", b"x"], object), "price": np.array([np.nan, 2.0], "float32")}
    protos = [tf.train.Example.FromString(proto) for proto in serialized_examples(raw, ["photo", "price"])]
    assert [sorted(proto.features.feature) for proto in protos] == [[], ["photo", "price"]]
    kept = tf.train.Example.FromString(serialized_examples(raw, [])[0])
    assert sorted(kept.features.feature) == ["photo", "price"]
