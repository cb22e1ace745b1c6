"""Whether a monitored value is to be minimised or maximised."""

from collections.abc import Sequence

import keras

from mmkeras.checks import did_you_mean


class Direction(keras.callbacks.Callback):
    """Sets the mode of callbacks with `mode="auto"` after the first batch, when metrics have been built.

    Args:
        monitor: key of the log.
        callbacks: callbacks with an attribute `mode`; only those whose mode is "auto" are set.

    Raises:
        ValueError: as `direction`.
    """

    def __init__(self, monitor: str, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        super().__init__()
        self.monitor = monitor
        self._waiting = [callback for callback in callbacks if getattr(callback, "mode", None) == "auto"]

    def on_train_batch_end(self, batch, logs=None):
        for callback in self._waiting:
            callback.mode = direction(self.model, self.monitor)
        self._waiting = []


def direction(model: keras.Model, monitor: str) -> str:
    """Whether a monitored value is to be minimised or maximised, according to its metric.

    Args:
        model: compiled `keras.Model` that has seen a batch.
        monitor: key of the log, with or without the prefix `val_`: "loss", the name of a metric, "HEAD_loss" and
            "HEAD_METRIC" of a model with several outputs, or one of the scores of `AnswerScores`.

    Returns:
        "min" or "max".

    Raises:
        ValueError: the model has no metric of this name, or the metric does not define its direction, such as a plain
            function.
    """
    metrics = dict(_named(model))
    name = monitor.removeprefix("val_")
    metric = metrics.get(name)
    mode = "min" if _is_loss(name, metric) else _MODES.get(getattr(metric, "_direction", None))
    if metric is None and ANSWER in name:
        mode = _SCORES.get(name.rpartition(ANSWER)[2])
    if mode is None:
        known = [*metrics, *(f"val_{each}" for each in metrics)]
        what = (
            "is no metric of the model"
            if metric is None
            else f"is a {type(metric).__name__}, which does not define one"
        )
        raise ValueError(
            f'mode="auto" needs a metric whose direction is known. Received: monitor={monitor!r}, '
            f'which {what}. Give mode="min" or mode="max". {did_you_mean(monitor, known) if metric is None else ""}'
        )
    return mode


_MODES = {"up": "max", "down": "min"}
ANSWER, _SCORES = "_answer_", {"wer": "min", "cer": "min", "exact": "max"}  # of `AnswerScores`


def _named(model):
    """(key in the log, metric)."""
    for metric in model.metrics:
        inner = getattr(metric, "metrics", None)  # Keras groups the compiled metrics of all heads in one object
        if inner is None:
            yield metric.name, metric
        else:
            names = list(metric.result())
            yield from zip(names, inner, strict=True) if len(names) == len(inner) else ()


def _is_loss(name, metric):
    """Whether it is the loss, or that of a head, which Keras tracks as plain means."""
    return type(metric) is keras.metrics.Mean and (name == "loss" or name.endswith("_loss"))
