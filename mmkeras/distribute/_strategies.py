"""The choice of a strategy."""

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from mmkeras.checks import did_you_mean
from mmkeras.distribute._cluster import cluster
from mmkeras.distribute._mirrored import Mirrored
from mmkeras.distribute._multi_worker import multi_worker
from mmkeras.distribute._precision import policy_of

STRATEGIES = ("auto", "none", "one_device", "mirrored", "multi_worker")


def strategy(
    name: str | tf.distribute.Strategy | None = None,
    *,
    devices: Sequence[str] | None = None,
    mixed_precision: str | bool | None = None,
) -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy` in whose `scope()` a model is built and compiled.

    A batch is split evenly between the replicas: `batch_size` is that of all replicas together. There are two
    differences from one device. First, Keras averages the mean losses of the replicas, so a step equals that of one
    device only if all replicas have the same number of examples: choose a batch size that is a multiple of the number
    of replicas, and `drop_remainder=True` for training (as `train_batches` does). The last evaluation batch may have
    any size: a replica without examples contributes nothing. A training batch needs at least one example per replica.
    Second, batch norm normalises by the examples of its own replica only, unless `synchronize_batch_norm` says
    otherwise; its moving averages are the mean over the replicas. Gradients are clipped as on one device, after they
    have been summed. For batches that do not fit in memory there is `train.micro_batches`, in place of
    `gradient_accumulation_steps` of Keras' optimizers, which works on one replica only.

    Several machines train together where the environment variable TF_CONFIG names their addresses, and which of them a
    process is; launchers such as Ray Train, Kubeflow and Slurm scripts set it. The script stays the same: each worker
    runs it, reads its own part of every batch, and has the same weights after every step. A process joins the others
    when `mmkeras` is first used (`mm.data`, `mm.adapt`, ...), before any tensor is created. The run folder of
    `train.callbacks` must be accessible to all workers. Only the chief, worker 0, writes files (of callbacks, reports
    and exports, which return None elsewhere) and shows progress.

    Args:
        name: None or "auto": several workers where TF_CONFIG names them; else mirrored where several devices of one
            kind are visible (GPUs before CPUs); else one device. "multi_worker": the workers of TF_CONFIG. "mirrored":
            `tf.distribute.MirroredStrategy`, one replica per device. "none" or "one_device": one device. Or a
            `tf.distribute.Strategy`, which is passed through.
        devices: names such as `["GPU:0", "GPU:1"]`; None for all GPUs, or where there is none, all logical CPUs.
        mixed_precision: sets Keras' global dtype policy for all layers built afterwards: "float16" (with automatic loss
            scaling), "bfloat16", "float32" or False; True is float16 on GPUs and bfloat16 on CPUs. None does not change
            the policy.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: an unknown name, device or precision, or several devices for one.
        TimeoutError: a worker does not connect.
        OSError: the port of this worker is taken.
        RuntimeError: the workers have different versions, source of mmkeras or scripts, or TensorFlow was used before
            the process joined them.

    Example:

    >>> from mmkeras import distribute
    >>> distribute.strategy("one_device").num_replicas_in_sync
    1
    """
    if mixed_precision is not None:
        keras.config.set_dtype_policy(policy_of(mixed_precision))
    if isinstance(name, tf.distribute.Strategy):
        return _passed_through(name, devices)
    name = _checked(name)
    if name == "multi_worker" or (name == "auto" and cluster().workers > 1):
        return multi_worker()
    if name == "mirrored" or (name == "auto" and len(_devices(devices)) > 1):
        return _mirrored(tuple(_devices(devices)))
    return _one_device(devices)


@functools.cache
def _mirrored(devices):
    """One strategy per set of devices, because reductions of two strategies in one process would interfere."""
    return Mirrored(devices)


def _one_device(devices):
    if devices is None or _devices(devices) == _devices(None)[:1]:
        return tf.distribute.get_strategy()
    if len(devices) > 1:
        raise ValueError(f"One device is needed. Received: devices={devices}. Give one, or use 'mirrored'.")
    return tf.distribute.OneDeviceStrategy(_devices(devices)[0])


def _passed_through(given, devices):
    if devices is not None:
        raise ValueError(
            f"A tf.distribute.Strategy already has its devices. Received: {given} and devices={devices}. Leave "
            "devices= out."
        )
    return given


def _checked(name):
    name = "auto" if name is None else name
    if name == "multi_worker" and cluster().workers == 1:
        raise ValueError(
            "Training on several machines needs the environment variable TF_CONFIG, with the addresses of all "
            f"workers. Received: {name!r}, and none. Set it, use a launcher that sets it, or leave the name out."
        )
    if name not in STRATEGIES:
        raise ValueError(
            f"The strategy must be one of {list(STRATEGIES)}, or a tf.distribute.Strategy. Received: {name!r}. "
            f"{did_you_mean(name, STRATEGIES)}"
        )
    return name


def _devices(devices):
    logical = {
        kind: [_short(device.name) for device in tf.config.list_logical_devices(kind)] for kind in ("GPU", "CPU")
    }
    if devices is None:
        return logical["GPU"] or logical["CPU"]
    devices, visible = [_short(name) for name in devices], logical["GPU"] + logical["CPU"]
    unknown = [name for name in devices if name not in visible]
    if unknown or not devices:
        raise ValueError(
            f"devices must be visible ones: {visible}. Received: {devices}. Logical devices are made with "
            "tf.config.set_logical_device_configuration before TensorFlow is first used."
        )
    return devices


def _short(name):
    """'/device:GPU:0' and 'gpu:0' -> 'GPU:0'."""
    return ":".join(name.upper().split(":")[-2:]).removeprefix("/")
