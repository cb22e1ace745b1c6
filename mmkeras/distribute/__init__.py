"""Strategies and mixed precision: the one window to `tf.distribute`.

    with mm.distribute.strategy().scope():
        model = mm.fusion_model(specs, branches, fusion, heads)
        model.compile("adam", **mm.heads.compile_for(heads))
    model.fit(batches)

On several devices or machines, training ends as on one device with the same batches: examples, losses, metrics,
clipping and, where `synchronize_batch_norm` asks for it, the statistics of batch normalisation are those of the whole
batch.

XLA is left to Keras: its default, `jit_compile="auto"`, turns XLA off on CPUs and under `tf.distribute`;
`model.compile(jit_compile=True)` forces it.
"""

from mmkeras.distribute._batch_norm import synchronize_batch_norm
from mmkeras.distribute._cluster import Cluster, cluster
from mmkeras.distribute._mirrored import Mirrored
from mmkeras.distribute._multi_worker import MultiWorker
from mmkeras.distribute._strategies import STRATEGIES, strategy

__all__ = ["STRATEGIES", "Cluster", "Mirrored", "MultiWorker", "cluster", "strategy", "synchronize_batch_norm"]
