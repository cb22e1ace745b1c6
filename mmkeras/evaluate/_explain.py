"""One answer explained: which modality, and which part of it, says how much."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.evaluate import _graph
from mmkeras.evaluate._scalars import scalar
from mmkeras.evaluate.attribution import kind_of
from mmkeras.preprocess.model import traced

_MOST_STEPS, _CHUNK = 1024, 64
_GAP, _SMALL = 0.01, 0.01  # of a change of the score that is smaller, the error may be 1e-4


@dataclasses.dataclass(kw_only=True)
class Explanation:
    """What `explain` found.

    Args:
        head: name of the head.
        target: what is explained: the name of a class, the number of a value, a text or one of its tokens.
        score: the output for the example; of a text, its log-probability.
        baseline: the same where there is nothing to see.
        parts: dict, name of a modality -> `Part`: its `values` sum to the share of the modality.
        gap: how far the sum of all shares is from `score - baseline`, over the larger of that difference and 0.01.
        steps: how many places of the path were looked at.
        measure: what is divided among the parts: "score", or the "log-probability" of a text or a token.
    """

    head: str
    target: str
    score: float
    baseline: float
    parts: dict
    gap: float
    steps: int
    measure: str = "score"

    @property
    def shares(self) -> dict[str, float]:
        """Dict, name of a modality -> what it adds to the score."""
        return {name: part.total for name, part in self.parts.items()}


def explain(
    model: keras.Model,
    preprocess: keras.Model,
    example: Mapping[str, Any],
    *,
    head: str | None = None,
    target: str | int | None = None,
    token: int | None = None,
    steps: int = 64,
) -> Explanation:
    """Integrated gradients of one answer, over all modalities at once, from the raw example.

    The score of a class moves from what the model says of nothing (padding, black, silence, missing values) to what it
    says of the example. The move is divided among words, pixels, bands over time, columns, frames; the shares sum to
    the whole of it within 1 %: `gap` says how far they are from it. For that, the gradient is taken at more
    places where the score bends, up to 1024 of them.

    Args:
        model: functional model of a builder of this package.
        preprocess: adapted model, raw -> ready.
        example: dict of raw values, as `Examples` or a client of the served model gives them; labels are ignored.
        head: name of a head; None for the first one.
        target: name of a class, number of an output, or text; None for the class or the text that is answered, or the
            first value. Of a generation, the log-probability is that of the text under teacher forcing; of a
            transcription (CTC), that of all paths that spell it.
        token: of a generation: place of one token of the text; its log-probability is explained, given those before it.
        steps: places of the path where the gradient is taken to begin with.

    Returns:
        `Explanation`; `draw_explanation` draws it.

    Raises:
        ValueError: no such head, class or token, a text that the head cannot spell or whose probability is 0, or a
            model whose graph has no branch of a modality.

    Source: Sundararajan et al., Axiomatic Attribution for Deep Networks, arXiv 1703.01365, eq. 1; along the
    embeddings of words, as in its section 6.3.
    """
    raw = {name: _batched(tensor, example[name]) for name, tensor in preprocess.input.items()}
    ready = {name: np.asarray(value) for name, value in traced(preprocess)(raw).items()}
    layers = {getattr(layer, "modality", ""): layer for layer in preprocess.layers}
    return explain_ready(model, ready, head=head, target=target, token=token, steps=steps, layers=layers)


def _batched(tensor, value):
    value = tf.convert_to_tensor(value, tensor.dtype)
    return tf.expand_dims(value, 0)


def explain_ready(model, ready, *, head=None, target=None, token=None, steps=64, layers=None, specs=None):
    """As `explain`, from the ready tensors (1, ...) of one example."""
    specs = specs or model.specs
    ready = {name: np.asarray(ready[name]) for name in model.input}
    asked = scalar(model, ready, head=head, target=target, token=token)
    points = {spec.name: _Entry(model, spec, ready) for spec in specs}
    path = _Path(asked, ready | asked.feed, list(points.values()))
    gradients, evaluated = path.gradients(steps)
    pairs = zip(points.values(), gradients, strict=True)
    parts = {point.spec.name: point.part(gradient, (layers or {}).get(point.spec.name)) for point, gradient in pairs}
    moved = path.score - path.baseline
    gap = abs(sum(part.total for part in parts.values()) - moved) / max(abs(moved), _SMALL)
    return Explanation(head=asked.head, target=asked.target, score=path.score, baseline=path.baseline, parts=parts,
                       gap=gap, steps=evaluated, measure=asked.measure)  # fmt: skip


class _Entry:
    """Where the gradient of one modality is taken: `operation` in its branch, or its ready values (None)."""

    def __init__(self, model, spec, ready):
        self.spec, self.kind = spec, kind_of(spec)
        self.ready = {name: ready[name] for name in spec.ready}
        self.branch, self.scope, self.inner = _graph.readers(model, spec.name)
        self.operation = self.kind.entry(_graph.entries(self.branch, self.inner), spec)
        self.there, self.nothing = (self.entered(each) for each in (self.ready, self.kind.baseline(spec, self.ready)))

    def entered(self, ready):
        if self.operation is None:
            return np.asarray(ready[self.spec.name])
        seen = []
        given = tf.nest.map_structure(tf.convert_to_tensor, self._named(ready))
        _graph.run(self.branch, given, seen=seen, scope=self.scope)
        output = next(output for _, operation, output in seen if operation is self.operation)
        return np.asarray(output[0] if isinstance(output, list | tuple) else output)

    def _named(self, ready):
        """Under the names of the branch, which specs may share."""
        own = {name: ready[name] for name in self.spec.ready}
        names = list(self.branch.input)
        return own if set(names) >= set(own) else dict(zip(names, own.values(), strict=True))

    def part(self, gradient, layer):
        return self.kind.part(self.spec, self.ready, gradient, self.entered, layer)


class _Path:
    """The straight way from nothing to the example, of all modalities at once."""

    def __init__(self, scalar, ready, points):
        self.scalar, self.ready, self.points = scalar, ready, points
        self.baseline, self.score = (float(each) for each in self._scores(np.array([0.0, 1.0], "float32"))[0])
        if not np.isfinite([self.baseline, self.score]).all():
            raise ValueError(
                f"An explanation needs a finite {scalar.measure}. Received: {self.score} for {scalar.target!r} of head "
                f"'{scalar.head}', {self.baseline} without input. Give another target=."
            )

    def gradients(self, steps):
        """Mean gradient (1, ...) of what each point gives, and of how many places of the path it was taken.

        The gradient in the middle of an interval stands for all of it where it explains what the score does from end to
        end; where it does not, as near a kink or where a normalisation leaves zero, the interval is halved.
        """
        ends = np.linspace(0, 1, steps + 1)
        scores = np.concatenate([self._scores(part)[0] for part in np.array_split(ends, -(-len(ends) // _CHUNK))])
        waiting = list(zip(ends, ends[1:], scores, scores[1:], strict=False))
        sums, evaluated = [0.0] * len(self.points), 0
        while waiting:
            now, waiting = waiting[:_CHUNK], waiting[_CHUNK:]
            evaluated += len(now)
            start, end, before, after = (np.array(column) for column in zip(*now, strict=True))
            middle, found = self._scores((start + end) / 2)
            width = end - start
            wrong = np.abs(after - before - width * self._slopes(found))
            good = (wrong <= self._allowed(width)) | (evaluated + 2 * len(waiting) >= _MOST_STEPS)
            weights = np.where(good, width, 0.0)
            sums = [total + np.tensordot(weights, each, 1)[None] for total, each in zip(sums, found, strict=True)]
            for i in np.flatnonzero(~good):
                half = (start[i] + end[i]) / 2
                waiting += [(start[i], half, before[i], middle[i]), (half, end[i], middle[i], after[i])]
        return sums, evaluated

    def _slopes(self, gradients):
        """Derivative of the score along the path (n,)."""
        pairs = zip(self.points, gradients, strict=True)
        return sum((each * (point.there - point.nothing)).reshape(len(each), -1).sum(-1) for point, each in pairs)

    def _allowed(self, width):
        """Error of an interval: half of 1 % in all, and as much again for a few that are narrow."""
        return _GAP * max(abs(self.score - self.baseline), _SMALL) * (width + 1 / 64) / 2

    def _scores(self, at):
        values = [_between(point.nothing, point.there, at) for point in self.points]
        feed = {name: np.repeat(value, len(at), axis=0) for name, value in self.ready.items()}
        feed = {name: tf.convert_to_tensor(value) for name, value in feed.items()}
        values = [tf.convert_to_tensor(value) for value in values]
        with tf.GradientTape() as tape:
            tape.watch(values)
            replace = {}
            for point, value in zip(self.points, values, strict=True):
                if point.operation is None:
                    feed[point.spec.name] = value
                else:
                    replace[point.scope, id(point.operation)] = _instead(value)
            score = self.scalar.of(_graph.run(self.scalar.model, feed, replace)[self.scalar.head])
        found = tape.gradient(score, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return np.asarray(score), [np.asarray(tf.convert_to_tensor(each), "float64") for each in found]


def _between(nothing, there, at):
    at = at.reshape((-1,) + (1,) * (there.ndim - 1))
    return (nothing + at * (there - nothing)).astype(there.dtype)


def _instead(value):
    return lambda output: [value, *output[1:]] if isinstance(output, list | tuple) else value
