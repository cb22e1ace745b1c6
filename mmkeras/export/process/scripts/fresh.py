"""Runs a SavedModel without mmkeras; `run_fresh` starts it."""

BANNED = ("mmkeras",)  # the exported model must not need it


def answer(done, path, ops, runs):
    """Dict with "owners", "signatures" and "outputs".

    The last two are missing where an op has no owner, since the graph could not be loaded.

    Args:
        done: called after each run.
        path: of the SavedModel.
        ops: names of its ops.
        runs: list of (signature, {input name: array}).
    """
    owners = _owners(ops)
    return {"owners": owners} | ({} if None in owners.values() else _run(done, path, runs))


def _owners(ops):
    """Compares TensorFlow's op registry before and after tensorflow-text is imported, instead of keeping a list."""
    import tensorflow as tf  # noqa: F401
    from tensorflow.python.framework import op_def_registry

    core = {op for op in ops if op_def_registry.get(op) is not None}
    import tensorflow_text  # noqa: F401

    both = {op for op in ops if op_def_registry.get(op) is not None}
    return {op: "tensorflow" if op in core else "tensorflow-text" if op in both else None for op in ops}


def _run(done, path, runs):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    outputs = []
    for name, inputs in runs:
        found = loaded.signatures[name](**_tensors(inputs))
        outputs.append({key: value.numpy() for key, value in found.items()})
        done()
    signatures = {
        name: {
            "inputs": _describe(signature.structured_input_signature[1]),
            "outputs": _describe(signature.structured_outputs),
        }
        for name, signature in loaded.signatures.items()
    }
    return {"outputs": outputs, "signatures": signatures}


def _tensors(inputs):
    import tensorflow as tf

    return {key: tf.constant(value) for key, value in inputs.items()}


def _describe(tensors):
    return {key: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name} for key, spec in tensors.items()}
