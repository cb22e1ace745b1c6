"""Converts SavedModels to .tflite; `convert_files` starts it."""

import time

BANNED = ("mmkeras",)  # the SavedModel must be self-contained


def answer(done, jobs):
    """List with {"seconds"} or {"error"} for each job.

    Args:
        done: called after each job, so that after a crash it is known how far the converter came.
        jobs: list of {"saved_model", "path", "quantize"}.
    """
    found = []
    for job in jobs:
        started = time.perf_counter()
        found.append(_convert(**job) or {"seconds": round(time.perf_counter() - started, 2)})
        done()
    return found


def _convert(saved_model, path, quantize):
    import tensorflow as tf

    try:
        converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=["serving_default"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        # A loop writes a row of its list by DYNAMIC_UPDATE_SLICE, not by slicing and joining the list anew.
        converter._experimental_enable_dynamic_update_slice = True
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        data = converter.convert()
    except Exception as error:  # the converter raises many private exception types
        return {"error": f"{type(error).__name__}: {error}"}
    with open(path, "wb") as file:
        file.write(data)
    return None
