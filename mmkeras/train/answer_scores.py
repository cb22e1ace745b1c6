from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check, check_whole
from mmkeras.decoding import edit_distance
from mmkeras.heads import Head
from mmkeras.train.samples import text_heads


class AnswerScores(keras.callbacks.Callback):
    """Decodes the answers to validation examples every few epochs, and logs their error rates.

    The metrics of `heads.generation` are computed under teacher forcing, those of `heads.transcription` on the best
    path. This callback scores the texts that the model really answers, so that training can stop early on them, and the
    weights of the best epoch are kept:

        scores = mm.train.AnswerScores(valid, every=5)
        callbacks = mm.train.callbacks(run_dir, train, monitor="val_caption_answer_wer", patience=20, others=[scores])

    For each head it adds "val_HEAD_answer_wer", "val_HEAD_answer_cer" (errors per word and per character) and
    "val_HEAD_answer_exact" (share of texts without any error) to the log of every epoch. Between two evaluations these
    repeat the last ones, so that `patience` counts epochs.

    In a list of callbacks of your own, it must precede those that read the log. `callbacks` takes care of that.

    Args:
        batches: labelled batches, as `eval_batches` makes them. Decoding token by token takes longer than a training
            step: a part of the validation examples suffices, such as `valid.take(4)`.
        heads: list of heads; None for those of the model.
        every: epochs from one evaluation to the next; the first and the last epoch of `fit` are always evaluated.

    Raises:
        ValueError: `every` is below 1; from `fit`, where no head answers with a text, or no example has one.

    Example:

    >>> from mmkeras.train import AnswerScores
    >>> AnswerScores(batches=None, every=5).every
    5
    """

    def __init__(self, batches: Any, heads: Sequence[Head] | None = None, *, every: int = 5) -> None:
        super().__init__()
        check_whole("AnswerScores", every=every)
        self.batches, self.heads, self.every = batches, heads, every
        self.last_scores = {}

    def on_train_begin(self, logs=None):
        self._texts = text_heads(self, self.model, self.heads)
        self.last_scores = {}

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not self.last_scores or last or (epoch + 1) % self.every == 0:
            self.last_scores = self._scores()
        if logs is not None:
            logs.update(self.last_scores)

    def _scores(self):
        pairs = {head.name: ([], []) for head in self._texts}
        for inputs, labels, *_ in self.batches:
            inputs = {name: ops.convert_to_tensor(inputs[name]) for name in self.model.input}
            outputs = self.model(inputs, training=False)
            for head in self._texts:
                there = np.asarray(head.labelled(labels[head.name]))
                answers = np.asarray(head.decode(outputs[head.name])[head.name])[there]
                received, expected = pairs[head.name]
                received += [text.decode() for text in answers]
                expected += head.references(np.asarray(labels[head.name])[there])
        for name, (_, expected) in pairs.items():
            rule, hint = f"AnswerScores needs texts of head '{name}'.", "Give batches that can be read again and again."
            check(expected, rule, "batches without any", hint)
        return {f"val_{name}_answer_{key}": score for name, pair in pairs.items() for key, score in _rates(*pair)}


def _rates(received, expected):
    """Yields (name, score) of texts: WER, CER and the share of exact ones."""
    yield "wer", _error_rate(received, expected, str.split)
    yield "cer", _error_rate(received, expected, list)
    yield "exact", float(np.mean([a == b for a, b in zip(received, expected, strict=True)]))


def _error_rate(received, expected, split):
    """Parts inserted, deleted or replaced, per part of the expected texts."""
    numbers = {}
    sides = [
        [[numbers.setdefault(part, len(numbers) + 1) for part in split(text)] for text in side]
        for side in (received, expected)
    ]
    errors = edit_distance(_padded(sides[0]), expected=_padded(sides[1]))
    return float(np.sum(errors)) / max(1, sum(map(len, sides[1])))


def _padded(rows):
    """Lists of ids -> (n, longest) int32, zeros behind each."""
    found = np.zeros((len(rows), max(1, *map(len, rows))), "int32")
    for row, ids in zip(found, rows, strict=True):
        row[: len(ids)] = ids
    return found
