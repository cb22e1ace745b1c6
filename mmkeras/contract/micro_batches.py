"""A training step that takes its batch in parts, one after the other."""

import keras
import tensorflow as tf  # noqa: TID251 - a loop with gradients of its own needs TensorFlow's tape


def train_step_in_parts(model, parts, data):
    """As `keras.Model.train_step`: one update, whose gradients are summed over the parts of the batch.

    In the loop nothing is assigned, because strategies do not allow it there: what the parts change besides the
    gradients (metrics, moving averages, states of random numbers) is handed on from part to part, as on JAX.

    Args:
        model: compiled `keras.Model`.
        parts: number of parts; fewer where a batch has fewer rows.
        data: (x, y, weights).

    Returns:
        Dict of metrics.
    """
    batch = keras.utils.unpack_x_y_sample_weight(data)
    cut, rows, parts = _cut(batch, parts)
    trained, state = model.trainable_variables, [*model.non_trainable_variables, *model.metrics_variables]
    unused = set()

    def add_part(i, sums, values):
        own, count = cut(i)
        with keras.StatelessScope(zip(state, values, strict=True), collect_losses=True) as scope:
            with tf.GradientTape() as tape:
                loss = _loss(model, own)
                share = tf.cast(count, loss.dtype) / tf.cast(rows, loss.dtype)
                scaled = model.optimizer.scale_loss(loss * share)
            replicas = tf.cast(model.distribute_strategy.num_replicas_in_sync, loss.dtype)  # Keras divides by it
            model._loss_tracker.update_state(loss * replicas, sample_weight=count)
        gradients = tape.gradient(scaled, trained)
        unused.update(i for i, each in enumerate(gradients) if each is None)
        sums = [
            total if gradient is None else total + tf.convert_to_tensor(gradient)
            for total, gradient in zip(sums, gradients, strict=True)
        ]
        return i + 1, sums, [_value_in(scope, variable) for variable in state]

    start = (0, [tf.zeros(v.shape, v.dtype) for v in trained], [tf.convert_to_tensor(v.value) for v in state])
    _, sums, values = tf.while_loop(lambda i, *_: i < parts, add_part, start, parallel_iterations=1)
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    known = [(None if i in unused else total, v) for i, (total, v) in enumerate(zip(sums, trained, strict=True))]
    model.optimizer.apply_gradients(known)
    return model.get_metrics_result()


def _cut(batch, parts):
    """Function from the number of a part to that part and its rows; the rows of all parts; and how many there are."""
    first = next(tensor for tensor in tf.nest.flatten(batch) if tensor is not None)
    known, rows = first.shape[0], tf.shape(first)[0]
    alike = known is not None and known % parts == 0

    def of_each(function):
        return tf.nest.map_structure(lambda tensor: None if tensor is None else function(tensor), batch)

    if alike:  # XLA needs shapes that do not depend on the number of a part
        size = known // parts
        split = of_each(lambda tensor: tf.reshape(tensor, (parts, size, *_inner(tensor))))
        return lambda i: (tf.nest.map_structure(lambda x: None if x is None else x[i], split), size), rows, parts
    parts = tf.minimum(parts, rows)

    def cut(i):
        begin, end = rows * i // parts, rows * (i + 1) // parts
        return of_each(lambda tensor: tensor[begin:end]), end - begin

    return cut, rows, parts


def _inner(tensor):
    """Sizes of all axes but the first, as numbers where they are known."""
    return [tf.shape(tensor)[axis] if size is None else size for axis, size in enumerate(tensor.shape[1:], 1)]


def _loss(model, batch):
    """The loss of a part; its metrics are updated."""
    x, y, weights = batch
    outputs = model(x, training=True)
    loss = model.compute_loss(x, y, outputs, weights, training=True)
    model.compute_metrics(x, y, outputs, sample_weight=weights)
    return loss


def _value_in(scope, variable):
    value = scope.get_current_value(variable)
    return tf.ensure_shape(tf.cast(value, variable.dtype), variable.shape)
