"""Strategy for several machines, or several processes on one: the workers of TF_CONFIG."""

import functools
import hashlib
import os
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from mmkeras.distribute._cluster import cluster
from mmkeras.distribute._meeting import meet
from mmkeras.distribute._under_fit import UnderFit
from mmkeras.distribute._versions import versions


@functools.cache
def multi_worker():
    """The strategy of this process. There is only one, because TensorFlow can join a cluster only once."""
    if context.context()._context_handle is not None:
        raise RuntimeError(
            "Under TF_CONFIG, a process must join the other workers before TensorFlow creates its first tensor. "
            "Received: a later call. Call mm.distribute.strategy() right after the imports."
        )
    here = cluster()
    meet(here.addresses, here.worker, versions())
    sys.excepthook = functools.partial(_end, sys.excepthook)
    return MultiWorker()


def _end(show, kind, error, traceback):
    """Exits at once if a worker fails, so that its supervisor notices; a normal exit would wait for other workers."""
    show(kind, error, traceback)
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(1)


class MultiWorker(UnderFit, tf.distribute.MultiWorkerMirroredStrategy):
    """`tf.distribute.MultiWorkerMirroredStrategy` under which `fit` of Keras 3 works.

    Of the batches of `mmkeras.data`, each worker reads only its own part; other data sets are shared out by TensorFlow.
    """

    @property
    def is_chief(self) -> bool:
        """Whether this process writes files and shows progress."""
        return cluster().is_chief

    def experimental_distribute_dataset(self, dataset, options=None):
        """As `tf.distribute.Strategy.experimental_distribute_dataset`.

        Raises:
            ValueError: the workers have other examples, another order, or other settings.
        """
        if not hasattr(dataset, "of_worker"):
            return super().experimental_distribute_dataset(dataset, options)
        self.check_alike("examples, seed and batch size", getattr(dataset, "fingerprint", None))
        local = self.num_replicas_in_sync // cluster().workers
        return self.distribute_datasets_from_function(
            lambda input_context: dataset.of_worker(
                input_context.input_pipeline_id, input_context.num_input_pipelines, local
            ),
            options,
        )

    def check_alike(self, what: str, value: Any) -> None:
        """Raises ValueError, on every worker, where a value is another one than on the first worker.

        Args:
            what: its name.
            value: anything whose `repr` is the same in all processes.
        """
        first, others = self._digests(value)
        named = enumerate(cluster().addresses[1:], 1)
        wrong = [f"{i} ({at})" for (i, at), digest in zip(named, others, strict=True) if (digest != first).any()]
        if wrong:
            raise ValueError(
                f"All workers need the same {what}. Received: worker(s) {', '.join(wrong)} differ from worker 0. Give "
                "every worker the same files, arguments and seed."
            )

    def _digests(self, value):
        """The first worker's digest, and a list of those of the other workers."""
        own = np.frombuffer(_digest(value), np.int64)[None]
        gathered = self.gather(self.experimental_distribute_values_from_function(lambda _: tf.constant(own)), 0).numpy()
        first, *others = gathered[:: self.num_replicas_in_sync // cluster().workers]
        return first, others


def _digest(value):
    return hashlib.sha256(repr(value).encode()).digest()
