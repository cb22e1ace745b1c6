"""Batches of rows -> batches of ready tensors; faults are reported by example."""

import functools

import tensorflow as tf

from mmkeras.data import faults
from mmkeras.data.retry import map_or_retry
from mmkeras.data.service.address import START, check_answers
from mmkeras.data.service.client import map_on_servers
from mmkeras.data.service.portable import check_portable
from mmkeras.data.unoptimised import inlined
from mmkeras.preprocess.model import traced

_NONE_LEFT = (
    "Every replica of every worker needs an example of each training batch. Received: a part of a batch of which all "
    "examples were skipped. Make the batches larger, or leave out the broken files.\n{}"
)
_FAILED_THERE = (
    "The servers of service= need the same files at the same paths as this machine, and the same versions of mmkeras "
    "and TensorFlow. Received: a batch that can be made here, but not by one of {}. Its first example is in row {}{}."
)


def ready_batches(
    batches, read, describe, preprocess, labels, on_error, skipped, whole=False, locate=faults.locate, servers=()
):
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
        servers: addresses of the servers that do it (see `data.service`), all but the second attempt; () for none.

    Returns:
        tf.data.Dataset of (key, ready dict, labels dict); without rows where all examples of a batch are skipped.
    """

    call = traced(preprocess)

    def finish(payload):
        raw = read(payload)
        inputs = {name: raw[name] for name in preprocess.input}
        ready = inlined(call, inputs) if tf.inside_function() else call(inputs)
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
        if servers and not found:
            row, origin = describe(tf.nest.map_structure(lambda tensor: tensor[:1], payload))
            files = "".join(f", '{origin(name)}'" for name in preprocess.input if origin(name))
            raise ValueError(_FAILED_THERE.format(list(servers), row, files))
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

    if not servers:
        return map_or_retry(batches, attempt, again)
    for address in servers:
        check_answers(address, START, wait=True)
    check_portable(attempt, batches.element_spec, functools.partial(_raw_of, read), preprocess.input)
    return map_on_servers(batches, attempt, again, servers)


def _raw_of(read, name):
    """Function that reads one raw value of a batch."""
    return lambda key, payload: read(payload, name)


def _of_any_size(tensor):
    """Removes the static batch size: skipping examples makes batches smaller.

    And TensorFlow's inference of shapes, which enters the traced preprocess, refuses a `Substr` of which one argument
    has a known size and the other, from a loop, has none.
    """
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=[None, *tensor.shape[1:]])
