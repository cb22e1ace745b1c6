"""The trainer's side: batches of several servers in the order of one pipeline.

Server i of N makes the batches i, i + N, i + 2 N, ... of all epochs to come, each in a stream that ends with the
iteration; they are taken in turns. So the order is that of the seed, whichever server is the slowest, and each example
comes once an epoch. tf.data service has no such mode: with one dispatcher and several workers, either every worker
reads everything, or the order is that of arrival.

A stream is kept through the epochs, because a server never forgets a data set that was registered: one for each epoch
would hold the whole table each time.
"""

import atexit
import os
import sys
import threading
import time
import weakref

import tensorflow as tf

from mmkeras.causes import cause_of
from mmkeras.data.python_function import python_function
from mmkeras.data.retry import attempted, settled
from mmkeras.data.service.address import ANSWER, Unanswered, check_answers

_IDLE = 2  # streams that are kept for a next epoch
_LOOK = 2.0  # seconds of waiting after which a server is asked whether it is there
_LONGEST_END = 20.0  # seconds
_OPEN, _ENDING = weakref.WeakSet(), weakref.WeakSet()  # streams, and threads in which iterators of them end
_AHEAD = 4  # batches of each server that are kept here


def map_on_servers(keyed, function, retry, addresses):
    """As `retry.map_or_retry` of the batches of `order.counted`; `function` runs on servers, `retry` here.

    Args:
        keyed: data set with `number`, `of_epoch` and `steps`.
        function, retry: as of `map_or_retry`.
        addresses: of the servers.
    """
    streams = _Streams(addresses, keyed.of_epoch, keyed.steps, attempted(function))
    spec = keyed.of_epoch(tf.constant(0, tf.int64)).map(streams.function).element_spec
    flat = tf.nest.flatten(spec)

    def take(number, step):
        taken = python_function(streams.take, [number, step], [each.dtype for each in flat], eager=True)
        for tensor, each in zip(taken, flat, strict=True):
            tensor.set_shape(each.shape)
        return tf.nest.pack_sequence_as(spec, taken)

    def epoch(number):
        return tf.data.Dataset.range(keyed.steps).map(lambda step: take(number, step))

    return keyed.number.flat_map(epoch).map(settled(retry)).with_options(_own_threads(os.cpu_count() + 1))


def _own_threads(count):
    """Options for an iterator whose functions wait: TensorFlow's threads, one for each core, would be used up."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = count
    return options


class _Streams:
    """The streams of a data set, found by the batch (epoch, step) that each gives next.

    Args:
        addresses: of the servers. One that is lost is left out from then on.
        of_epoch: function, number of the epoch -> its data set.
        steps: elements of an epoch.
        function: of an element, in the graph.
    """

    def __init__(self, addresses, of_epoch, steps, function):
        self.addresses, self.of_epoch, self.steps, self.function = list(addresses), of_epoch, steps, function
        self._streams, self._lock = {}, threading.Lock()
        self.busy, self._closed = 0, False
        _OPEN.add(self)

    def take(self, number, step):
        """The flat tensors of one element; called in the order of the steps, by one iteration or several."""
        self._check_open()
        with self._lock:
            self.busy += 1
        try:
            return self._taken(int(number), int(step))
        finally:
            with self._lock:
                self.busy -= 1

    def _check_open(self):
        if self._closed:
            raise ValueError("Python is ending. Received: a call for another batch.")

    def _taken(self, number, step):
        with self._lock:
            stream = self._streams.pop((number, step), None)
        element, stream = self._next(stream, (number, step))
        self._check_open()
        after = (number, step + 1) if step + 1 < self.steps else (number + 1, 0)
        with self._lock:
            self._streams[after] = stream
            while len(self._streams) > _IDLE:
                del self._streams[next(iter(self._streams))]
        return tf.nest.flatten(element)

    def close(self):
        """Makes no more batches; those who iterate get an error."""
        self._closed = True
        with self._lock:
            self._streams.clear()

    def _next(self, stream, place):
        while True:
            known, stream = stream, stream or self._start(place)
            try:
                return next(stream), stream
            except Unanswered as error:
                self._leave_out(error)
            except tf.errors.OpError as error:
                if known is None:
                    raise self._failure(error, *place) from error
            stream = None  # once more: a server that was started again does not know the former one

    def _failure(self, error, number, step):
        for _ in self.of_epoch(tf.constant(number, tf.int64)).skip(step).take(len(self.addresses)):
            pass  # a damaged source raises an error of its own here, which says more
        return ValueError(
            f"The servers of service= could not make a batch. Received from one of {self.addresses}: "
            f"{cause_of(error)} Do they have the same versions of mmkeras and TensorFlow, and were they started by "
            "'python -m mmkeras.data.service'?"
        )

    def _leave_out(self, error):
        others = [address for address in self.addresses if address != error.address]
        if not others:
            raise ValueError(f"No server is left. {error}") from error
        self.addresses = others
        print(f"Batches are made by {self.addresses} from now on. {error}")

    def _start(self, place):
        addresses = self.addresses  # another iteration may leave one out meanwhile
        return _in_turns([self._stream(*place, i, len(addresses), address) for i, address in enumerate(addresses)])

    def _stream(self, number, step, i, count, address):
        # One source with a single element: with DYNAMIC, exactly one worker makes all of the stream.
        start = tf.data.Dataset.from_tensors(tf.constant(number, tf.int64))
        keyed = start.flat_map(lambda first: tf.data.Dataset.range(first, tf.int64.max)).flat_map(self.of_epoch)
        mine = keyed.skip(step).shard(count, i)
        made = mine.map(self.function, tf.data.AUTOTUNE, deterministic=True)
        return _from_server(made, address)


def _in_turns(streams):
    while True:
        for stream in streams:
            yield next(stream)


def _from_server(dataset, address):
    """Iterates over a data set as the server gives it; raises `Unanswered` when it is lost.

    The iterator of tf.data service waits forever for a server that was killed (seen with TensorFlow 2.17). So an
    element comes at least every 2 s here, empty if need be.
    """
    check_answers(address, ANSWER)
    sharding, spec = tf.data.experimental.service.ShardingPolicy.DYNAMIC, dataset.element_spec
    far = dataset.apply(tf.data.experimental.service.distribute(sharding, address, max_outstanding_requests=_AHEAD))
    far = far.map(lambda *element: (False, tf.experimental.Optional.from_value(element)))
    far = far.concatenate(tf.data.Dataset.from_tensors((True, tf.experimental.Optional.empty(spec))))
    both = tf.data.Dataset.from_tensors(far).concatenate(tf.data.Dataset.from_tensors(_ticks(spec)))
    both = both.interleave(lambda one: one, 2, 1, num_parallel_calls=2, deterministic=False)
    held = [iter(both.with_options(_own_threads(4)))]
    try:
        while True:
            ended, element = next(held[0])
            if element.has_value():
                yield element.get_value()
            elif ended:
                raise Unanswered(address, "it has lost its worker")
            else:
                check_answers(address, ANSWER)
    finally:
        _end(held)


def _end(held):
    """Deletes an iterator in a thread: it waits for its server, 16 s for one that was killed, forever if it hangs."""
    if not sys.is_finalizing():
        thread = threading.Thread(target=held.clear, daemon=True)
        _ENDING.add(thread)
        thread.start()


@atexit.register
def _end_all():
    """Python aborts if a thread returns to it, or calls it, while it ends (seen with 3.11): they are waited for."""
    opened = list(_OPEN)
    for streams in opened:
        streams.close()
    until = time.monotonic() + _LONGEST_END
    while any(streams.busy for streams in opened) and time.monotonic() < until:
        time.sleep(0.05)
    if opened:
        time.sleep(0.3)  # iterators that are left ask until their buffers are full of errors
    for thread in list(_ENDING):
        thread.join(max(0.0, until - time.monotonic()))


def _ticks(spec):
    """An empty element every two seconds. Not by Python: it might be waited for where it is waiting for its lock."""
    structure = (False, tf.experimental.Optional.empty(spec))
    one = tf.data.Dataset.from_tensors(structure)
    slow = tf.raw_ops.SleepDataset(
        input_dataset=tf.data.experimental.to_variant(one.repeat()),
        sleep_microseconds=round(1e6 * _LOOK),
        output_types=[tf.bool, tf.variant],
        output_shapes=[[], []],
    )
    return tf.data.experimental.from_variant(slow, one.element_spec)
