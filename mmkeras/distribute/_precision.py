"""Names of mixed precision -> Keras' dtype policies."""

import tensorflow as tf

from mmkeras.checks import did_you_mean

_POLICIES = {"float16": "mixed_float16", "bfloat16": "mixed_bfloat16", "float32": "float32", False: "float32"}


def policy_of(mixed_precision):
    if mixed_precision is True:
        return "mixed_float16" if tf.config.list_logical_devices("GPU") else "mixed_bfloat16"
    if mixed_precision not in _POLICIES:
        raise ValueError(
            "mixed_precision is 'float16', 'bfloat16', 'float32', True, False or None. "
            f"Received: {mixed_precision!r}. {did_you_mean(mixed_precision, ['float16', 'bfloat16', 'float32'])}"
        )
    return _POLICIES[mixed_precision]
