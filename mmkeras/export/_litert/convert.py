"""Converts SavedModels to .tflite; `convert` starts this file in a process of its own, by its path.

    python -P convert.py REQUEST ANSWER

REQUEST is JSON, a list of {"saved_model", "path", "quantize"}. ANSWER gets one line of JSON for each as it is done,
{"seconds"} or {"error"}, so that after a crash one knows how far it came.
"""

import json
import sys
import time


def main(request_path, answer_path):
    with open(request_path) as file:
        jobs = json.load(file)
    for job in jobs:
        started = time.perf_counter()
        line = _convert(**job) or {"seconds": round(time.perf_counter() - started, 2)}
        with open(answer_path, "a") as file:
            file.write(json.dumps(line) + "\n")


def _convert(saved_model, path, quantize):
    import tensorflow as tf

    try:
        converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=["serving_default"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        data = converter.convert()
    except Exception as error:  # the converter's own kinds are many, and private
        return {"error": f"{type(error).__name__}: {error}"}
    with open(path, "wb") as file:
        file.write(data)
    return None


if __name__ == "__main__":
    sys.modules["mmkeras"] = None  # the SavedModel must say all
    main(*sys.argv[1:])
