"""Requests that wait together are answered together.

No request waits for others to arrive: the next batch is collected while the current one is computed. So a single
request is as fast as without batching.
"""

import dataclasses
import queue
import threading
from concurrent.futures import Future

import numpy as np

from mmkeras.serve.protocol import Refused


class Closed(RuntimeError):
    """The version has been let go."""


@dataclasses.dataclass(eq=False)
class _Request:
    signature: str
    arrays: dict
    future: Future = dataclasses.field(default_factory=Future)

    def __post_init__(self):
        self.count = len(next(iter(self.arrays.values())))
        self.kind = (self.signature, *((name, array.shape[1:]) for name, array in self.arrays.items()))


class Batcher:
    """Answers requests in a thread of its own.

    Args:
        answer: function (signature, arrays) -> dict of arrays; raises `Refused`.
        max_batch: examples of a batch.
        observe: function (examples), called for each batch.
    """

    def __init__(self, answer, max_batch, observe):
        self._answer, self._max_batch, self._observe = answer, max_batch, observe
        self._queue, self._lock, self._closed = queue.SimpleQueue(), threading.Lock(), False
        self._thread = threading.Thread(target=self._work, name="mmkeras-batches", daemon=True)
        self._thread.start()

    def submit(self, signature, arrays):
        """A future of the answers.

        Raises:
            Closed: the version has been let go.
        """
        request = _Request(signature, arrays)
        with self._lock:  # so that no request is queued after the end
            if self._closed:
                raise Closed
            self._queue.put(request)
        return request.future

    def close(self):
        """Accepts no more requests, and answers those that are waiting."""
        with self._lock:
            self._closed = True
            self._queue.put(None)

    def _work(self):
        ended = False
        while not ended:
            batch, ended = self._next()
            kinds = {request.kind: [] for request in batch}
            for request in batch:
                kinds[request.kind].append(request)
            for requests in kinds.values():
                self._settle(requests)

    def _next(self):
        """The waiting requests, up to a full batch, and whether they are the last ones."""
        batch, request = [], self._queue.get()
        try:
            while request is not None:
                batch.append(request)
                if sum(each.count for each in batch) >= self._max_batch:
                    return batch, False
                request = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _settle(self, requests):
        """Answers requests of one kind; if that fails, splits them in halves until the failing ones are isolated."""
        try:
            arrays = {name: np.concatenate([each.arrays[name] for each in requests]) for name in requests[0].arrays}
            answers = self._answer(requests[0].signature, arrays)
        except Exception as error:
            if len(requests) == 1:
                requests[0].future.set_exception(self._located(requests[0], error))
            else:
                middle = len(requests) // 2
                self._settle(requests[:middle])
                self._settle(requests[middle:])
            return
        self._observe(sum(each.count for each in requests))
        ends = np.cumsum([each.count for each in requests])
        for request, end in zip(requests, ends, strict=True):
            part = {name: value[end - request.count : end] for name, value in answers.items()}
            request.future.set_result(part)

    def _located(self, request, error):
        """The error of a request, with the index of the first refused example if it has several."""
        if not isinstance(error, Refused) or request.count == 1:
            return error
        low, high = 0, request.count  # the first refused example is in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            try:
                self._answer(request.signature, {name: value[low:middle] for name, value in request.arrays.items()})
                low = middle
            except Refused as found:
                high, error = middle, found
        return Refused(f"example {low}: {error}", error.input)
