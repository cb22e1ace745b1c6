"""Prometheus metrics."""

import re

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mmkeras.formats.status import STATUS, why_refused

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """Metrics of a server. Names of unknown models are not used as labels, since clients could invent any number."""

    def __init__(self):
        self._registry = registry = CollectorRegistry()

        def counter(name, text, *labels):
            return Counter(f"mmkeras_{name}", text, labels, registry=registry)

        self.requests = counter("requests", "Requests to predict.", "model", "status")
        self.examples = counter("examples", "Examples that were asked.", "model")
        self.absent = counter("absent_inputs", "Examples without this input, for the share of mmkeras_examples_total.",
                              "model", "input")  # fmt: skip
        self.refused = counter(
            "refused_inputs",
            "Requests, or examples by a model that tells their status, refused because of this input.",
            "model",
            "input",
        )
        self.seconds = Histogram("mmkeras_request_seconds", "From the request's headers to its answer.", ["model"],
                                 buckets=_SECONDS, registry=registry)  # fmt: skip
        self.batches = Histogram("mmkeras_batch_examples", "Examples that were answered together.", ["model"],
                                 buckets=[2**i for i in range(10)], registry=registry)  # fmt: skip
        self.waiting = Gauge("mmkeras_requests_waiting", "Requests that are being answered.", registry=registry)

    def asked(self, model, arrays):
        """Counts the examples of a request, and the inputs that are absent in them."""
        self.examples.labels(model).inc(len(next(iter(arrays.values()))))
        for name, array in arrays.items():
            if count := _absent(array):
                self.absent.labels(model, name).inc(count)

    def answered(self, model, answers):
        """Counts the inputs because of which an export itself refused examples."""
        for status in answers.get(STATUS, np.zeros(0)).ravel().tolist():
            if cause := why_refused(status):
                self.refused.labels(model, re.split("[,:]", cause, maxsplit=1)[0]).inc()

    def text(self):
        return generate_latest(self._registry)


def _absent(array):
    """Number of values that are "" or NaN."""
    if array.dtype == object:
        return int(np.sum(array == b""))
    return int(np.isnan(array).reshape(len(array), -1).all(-1).sum()) if array.dtype.kind == "f" else 0
