"""Gradients of all replicas are summed before an optimizer clips them or looks whether they are finite."""

import functools

import tensorflow as tf  # noqa: TID251 - of tf.distribute

_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


def sum_before_clipping(optimizer):
    """Changes an optimizer so that under a strategy it clips as it does on one device.

    Keras (3.15) clips the gradients of each replica by themselves, and `LossScaleOptimizer` asks only the first replica
    whether they are finite; it sums them afterwards. Here they are summed first, and each replica hands on an equal
    share of the sum, which Keras sums again. An optimizer that does neither is left as it is.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    clips = any(getattr(inner, name, None) for name in _CLIPS)
    if "apply_gradients" in vars(optimizer) or not (clips or inner is not optimizer):
        return
    optimizer.apply_gradients = functools.partial(_apply_shares, optimizer.apply_gradients)
    if clips:
        inner._clip_gradients = functools.partial(_clip_sums, inner._clip_gradients)


def _apply_shares(apply_gradients, pairs):
    gradients, variables = zip(*pairs, strict=True)
    context = tf.distribute.get_replica_context()
    summed = iter(context.all_reduce("sum", [each for each in gradients if each is not None]))
    shares = [None if each is None else _times(next(summed), 1 / context.num_replicas_in_sync) for each in gradients]
    return apply_gradients(zip(shares, variables, strict=True))


def _clip_sums(clip, shares):
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return [_times(each, 1 / replicas) for each in clip([_times(share, replicas) for share in shares])]


def _times(gradient, factor):
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
    return gradient * factor
