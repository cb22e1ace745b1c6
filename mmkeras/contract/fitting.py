"""Extends `fit`, `evaluate` and `predict` of the package's models."""

import contextlib
import functools
import inspect

import keras
from keras import ops

from mmkeras.causes import readable_errors
from mmkeras.data_checks import check_class_weight, check_fed

_FIT = inspect.signature(keras.Model.fit)


class Fitting:
    """Mixin of functional models with dict inputs and outputs, to stand before `keras.Model`.

    - The loss of each head is the mean over the examples. Keras (3.15) takes the mean of the batches' means where a
      batch's size is not known before it is there, so that a smaller last batch counts as much as the others.
    - What is wrong with an example of a data set is a `ValueError`, not an `InvalidArgumentError` of TensorFlow.
    - A table, raw examples and `class_weight` are refused before TensorFlow sees them, with what to do instead.
    - Data without a batch are refused, and so are training batches with fewer examples than the strategy has replicas.
    - Under a strategy, gradients are clipped after they have been summed over the replicas, not before.
    - A training step takes its batch in `micro_batches` parts, which `train.micro_batches` sets.
    """

    micro_batches = 1

    @functools.wraps(keras.Model.fit)
    def fit(self, x=None, *args, **kwargs):
        given = _FIT.bind(self, x, *args, **kwargs).arguments
        del given["self"]
        check_class_weight(self, given.get("class_weight"))
        for data in (x, given.get("validation_data")):
            check_fed("fit", self, data)
        _check_replicas(x, _replicas(self))
        if _replicas(self) > 1:
            _prepare(getattr(self, "optimizer", None), _replicas(self))
        # Keras warns that it cannot shuffle a `tf.data.Dataset`.
        if hasattr(x, "element_spec"):
            given.setdefault("shuffle", False)
        with self._retraced_on_error(), readable_errors():
            return super().fit(**_quiet(self, _with_one_iterator(self, given)))

    def train_step(self, *args):
        if self.micro_batches > 1:
            from mmkeras.contract.micro_batches import train_step_in_parts  # needs TensorFlow

            return train_step_in_parts(self, self.micro_batches, *args)
        return super().train_step(*args)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, x=None, *args, **kwargs):
        check_fed("evaluate", self, x)
        with self._retraced_on_error(), readable_errors():
            logs = super().evaluate(x, *args, **_quiet(self, kwargs))
        if isinstance(logs, dict | list) and not logs:
            raise _no_batch("evaluate")
        return logs

    @functools.wraps(keras.Model.predict)
    def predict(self, x, *args, **kwargs):
        check_fed("predict", self, x)
        if isinstance(x, dict) and x and not any(map(len, x.values())):
            return keras.tree.map_structure(ops.convert_to_numpy, self(x, training=False))
        try:
            with readable_errors():
                return super().predict(x, *args, **_quiet(self, kwargs))
        except UnboundLocalError as error:  # what Keras 3.15 raises for data without any batch
            raise _no_batch("predict") from error

    @contextlib.contextmanager
    def _retraced_on_error(self):
        """Retraces the step in the next call after an error: a failed first trace may not create variables again."""
        try:
            yield
        except Exception:
            self.train_function = self.test_function = None
            raise

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if isinstance(y, dict) and isinstance(y_pred, dict):
            self._count_examples(y, y_pred, sample_weight)
        return loss

    def _count_examples(self, y, y_pred, sample_weight):
        """Completes the weight of each head's loss: Keras counts batches of unknown static size as one example."""
        trackers = self._compile_loss.metrics if self._compile_loss else []
        losses = self._compile_loss._flat_losses if trackers else []
        for ((name, *deeper), loss, _, _), tracker in zip(losses, trackers, strict=True):
            if deeper or y_pred[name].shape[0] is not None:
                continue
            weight = sample_weight[name] if isinstance(sample_weight, dict) else sample_weight
            # Under a strategy, Keras divides the loss by the number of replicas, because their losses are summed.
            value = loss(y[name], y_pred[name], weight) * _replicas(self)
            tracker.update_state(value, sample_weight=ops.shape(y_pred[name])[0] - 1)


def _with_one_iterator(model, arguments):
    """The arguments of `fit`, with batches of this package in the form that has one iterator for all epochs.

    Elsewhere a new one is made for each epoch: under a strategy, where an epoch is not all batches, where the last
    execution of several steps would reach into the next epoch, and for two epochs, where it takes no longer.
    """
    epochs = arguments.get("epochs", 1) - arguments.get("initial_epoch", 0)
    alone = keras.backend.backend() == "tensorflow" and getattr(model, "_distribute_strategy", None) is None
    limits = {"x": "steps_per_epoch", "validation_data": "validation_steps"}
    changed = {}
    for name, limit in limits.items():
        through = getattr(arguments.get(name), "through_epochs", None)
        if through and alone and epochs > 2 and not arguments.get(limit) and not arguments.get("class_weight"):
            batches = through()
            if int(batches.cardinality()) % model.steps_per_execution == 0:
                changed[name] = batches
    return arguments | changed


def _quiet(model, arguments):
    """The arguments without a progress bar on workers that are not the chief."""
    is_chief = getattr(getattr(model, "distribute_strategy", None), "is_chief", True)
    return arguments if is_chief else arguments | {"verbose": 0}


def _replicas(model):
    strategy = getattr(model, "distribute_strategy", None)  # only the TensorFlow backend sets it
    return strategy.num_replicas_in_sync if strategy is not None else 1


def _check_replicas(batches, replicas):
    shapes = [tensor.shape for tensor in keras.tree.flatten(getattr(batches, "element_spec", ()))]
    sizes = [shape[0] for shape in shapes if shape.rank]
    if sizes and sizes[0] is not None and sizes[0] < replicas:
        raise ValueError(
            f"A training batch needs at least one example per replica. Received: batches of {sizes[0]} example(s) for "
            f"{replicas} replicas. Use larger batches, preferably a multiple of {replicas}, or fewer devices."
        )


def _prepare(optimizer, replicas):
    """Checks an optimizer for several replicas, and makes it clip the sum of their gradients."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a `LossScaleOptimizer`
    if steps := getattr(inner, "gradient_accumulation_steps", None):
        raise ValueError(
            f"Keras accumulates gradients on a single replica only. Received: gradient_accumulation_steps={steps} for "
            f"{replicas} replicas. Leave it out, give train_batches the {steps}-fold batch_size, and call "
            f"mm.train.micro_batches(model, parts={steps}): each step then takes its batch in {steps} parts."
        )
    from mmkeras.contract.gradients import sum_before_clipping  # needs TensorFlow

    sum_before_clipping(optimizer)


def _no_batch(method):
    return ValueError(
        f"{method} needs at least one batch. Received: data without any. Is a one-shot iterator used up, or were all "
        "examples skipped or filtered out?"
    )


def with_a_row(inputs):
    """Dict of tensors, with a row of zeros where they have none; and the number of rows to keep of what comes out.

    Convolutions of TensorFlow on CPUs give a batch of 0 examples the wrong shape, and some layers of Keras reject it in
    eager mode. A replica whose share of a small batch is empty, or a server with an empty request, has such a batch.

    Args:
        inputs: dict, name -> tensor (B, ...).

    Returns:
        The dict, and None where nothing was to be done: the batch is known to have rows, or the tensors are symbolic
        or strings.
    """
    tensors = list(inputs.values())
    ready = all(hasattr(tensor, "shape") and not isinstance(tensor, keras.KerasTensor) for tensor in tensors)
    if not ready or any(_is_text(tensor) for tensor in tensors):
        return inputs, None
    rows = ops.shape(tensors[0])[0]
    if isinstance(rows, int) and rows > 0:
        return inputs, None
    return {name: _padded(tensor, rows) for name, tensor in inputs.items()}, rows


def _is_text(tensor):
    return getattr(tensor.dtype, "kind", "") == "O" or "string" in str(tensor.dtype)


def _padded(tensor, rows):
    missing = max(1 - rows, 0) if isinstance(rows, int) else ops.maximum(1 - rows, 0)
    zeros = ops.zeros((missing, *ops.shape(tensor)[1:]), keras.backend.standardize_dtype(tensor.dtype))
    return ops.concatenate([tensor, zeros], axis=0)
