"""Batches of rows -> batches of ready tensors; faults are reported by example."""

import functools

import tensorflow as tf

from mmkeras.data import faults
from mmkeras.data.retry import map_or_retry
from mmkeras.preprocess.model import traced

_NONE_LEFT = (
    "Every replica of every worker needs an example of each training batch. Received: a part of a batch of which all "
    "examples were skipped. Make the batches larger, or leave out the broken files.\n{}"
)


def ready_batches(batches, read, describe, preprocess, labels, on_error, skipped, whole=False, locate=faults.locate):
    """Reads and preprocesses batches in parallel, in order.

    A batch that fails is processed again example by example, outside the graph, to locate the fault; batches without
    faults are not slowed down.

    Args:
        batches: data set of (key, payload); every tensor of the payload has the batch axis.
        read: function, payload -> raw tensors and labels by name; with a raw name besides, of that one alone.
        describe: function, payload of one example -> (row, function from raw name to origin).
        locate: function that describes a fault: `faults.locate`, or a more specific one.
        preprocess: model from raw to ready.
        labels: names of the labels and weights that accompany the inputs.
        on_error: "raise" or "skip".
        skipped: list to which faults are appended.
        whole: whether to raise an error, too, where all examples of a batch are skipped.

    Returns:
        tf.data.Dataset of (key, ready dict, labels dict); without rows where all examples of a batch are skipped.
    """

    call = traced(preprocess)

    def finish(payload):
        raw = read(payload)
        ready = call({name: raw[name] for name in preprocess.input})
        return ready, {name: raw[name] for name in labels}

    def salvage(payload):
        good, found = [], []
        for i in range(len(tf.nest.flatten(payload)[0])):
            one = tf.nest.map_structure(lambda tensor, i=i: tf.constant(tensor[i : i + 1]), payload)
            try:
                alone(one)
                good.append(i)
            except tf.errors.OpError as error:
                found.append(locate(error, functools.partial(read, one), preprocess, *describe(one)))
        if found and on_error == "raise":
            raise ValueError(faults.report(found))
        if whole and not good:
            raise ValueError(_NONE_LEFT.format(faults.report(found)))
        # The wording of causes varies; row labels may repeat, so modality and file count as well.
        known = {fault[:3] for fault in skipped}
        skipped.extend(fault for fault in found if fault[:3] not in known)
        return finish(tf.nest.map_structure(lambda tensor: tf.gather(tensor, good), payload)) if good else None

    alone = tf.function(finish, autograph=False, reduce_retracing=True)  # traced when the first fault occurs

    def attempt(key, payload):
        return key, *finish(tf.nest.map_structure(_of_any_size, payload))

    def again(key, payload):
        good = salvage(payload)
        return None if good is None else (key, *good)

    return map_or_retry(batches, attempt, again)


def _of_any_size(tensor):
    """Removes the static batch size: skipping examples makes batches smaller.

    And TensorFlow's inference of shapes, which enters the traced preprocess, refuses a `Substr` of which one argument
    has a known size and the other, from a loop, has none.
    """
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=[None, *tensor.shape[1:]])
