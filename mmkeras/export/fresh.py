"""Runs a SavedModel where nothing of mmkeras is; `run_fresh` starts this file in a process of its own, by its path.

    python -P fresh.py REQUEST ANSWER

REQUEST is a pickle, {"path", "ops", "runs": [(signature, {input name: array})]}; ANSWER becomes one too, {"owners",
"signatures", "outputs"}; the last two are missing where an op has no owner, since the graph could not be loaded.
"""

import pickle
import sys


def main(request_path, answer_path):
    with open(request_path, "rb") as file:
        request = pickle.load(file)
    owners = _owners(request["ops"])
    answer = {"owners": owners}
    if None not in owners.values():
        answer |= _run(request["path"], request["runs"])
    with open(answer_path, "wb") as file:
        pickle.dump(answer, file)


def _owners(ops):
    """Asks TensorFlow's own registry, before and after tensorflow-text adds to it, instead of keeping a list."""
    import tensorflow as tf  # noqa: F401
    from tensorflow.python.framework import op_def_registry

    core = {op for op in ops if op_def_registry.get(op) is not None}
    import tensorflow_text  # noqa: F401

    both = {op for op in ops if op_def_registry.get(op) is not None}
    return {op: "tensorflow" if op in core else "tensorflow-text" if op in both else None for op in ops}


def _run(path, runs):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    outputs = [
        {key: value.numpy() for key, value in loaded.signatures[name](**_tensors(inputs)).items()}
        for name, inputs in runs
    ]
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


if __name__ == "__main__":
    sys.modules["mmkeras"] = None  # from here on, importing it is an error: the artefact must not need it
    main(*sys.argv[1:])
