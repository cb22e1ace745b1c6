"""The signatures of a SavedModel that answers the other examples of a batch in which some cannot be used."""

from mmkeras.export._saved_model.status import blanked, parsed, parts_of, with_status
from mmkeras.export.fit import decoded
from mmkeras.export.graph import checked
from mmkeras.formats.status import check_free
from mmkeras.preprocess.faults import told


def isolated(preprocess, model, heads, functions, features, on_error):
    """The three signatures as Python functions; they find each other in `functions`.

    Args:
        preprocess, model, heads: as of `saved_model`.
        functions: dict that will hold the `tf.function` of each.
        features: dict of `tf.io.FixedLenFeature` by raw name.
        on_error: "skip" or "absent".

    Raises:
        ValueError: an answer is called "status" already; or the preprocess is of foreign layers.
    """
    parts = parts_of(preprocess, on_error)

    def ready(tensors):
        with told() as faults:
            tensors = checked(tensors)
        tensors, status = blanked(parts, tensors, faults)
        answers = decoded(heads, model(tensors, training=False))
        check_free(answers, on_error)
        return with_status(answers, status)

    def serving_default(tensors):
        with told() as faults:
            tensors = preprocess(tensors, training=False)
        tensors, status = blanked(parts, tensors, faults)
        return with_status(functions["ready"](tensors), status)

    def examples(protos):
        raw, status = parsed(protos, features)
        return with_status(functions["serving_default"](raw), status)

    return ready, serving_default, examples
