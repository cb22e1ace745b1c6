"""Differentially private training: a model whose `fit` is DP-SGD, and the privacy budget that this spends."""

import keras
import tensorflow as tf  # noqa: TID251 - per-example gradients need TensorFlow's tape

from mmkeras.checks import check
from mmkeras.contract import NamedModel


def private(model: NamedModel, *, noise: float, clip: float = 1.0, seed: int | None = None) -> "PrivateModel":
    """The same model, sharing its layers, which `fit` trains by DP-SGD.

    The gradient of each example is clipped to the norm `clip`; their sum gets normal noise of standard deviation
    `noise * clip`, and is divided by the batch size. `privacy_budget` says what that promises. It costs a forward and a
    backward pass for each example alone, so a step takes several times as long; larger batches bear more noise.

    Args:
        model: model of a builder of this package, not compiled yet. Batch normalisation mixes the examples of a batch:
            build branches without it, or set `trainable = False` of these layers.
        noise: noise multiplier, the standard deviation of the noise over `clip`.
        clip: largest norm of the gradient of one example.
        seed: of the noise; None draws one. A seed that others know makes the noise useless.

    Returns:
        `PrivateModel`, to be compiled and fit as any other; its `.keras` file and its exports are those of the model.

    Raises:
        ValueError: numbers out of range, or the model has trainable batch normalisation.

    Source: Abadi et al., Deep Learning with Differential Privacy, arXiv 1607.00133, algorithm 1; batches of a shuffled
    epoch in place of the random lots that the accounting assumes, as is usual.
    """
    made = PrivateModel.of(model.input, model.output, model.specs, model.heads, name=model.name)
    return made._with(noise, clip, seed)


@keras.saving.register_keras_serializable("mmkeras")
class PrivateModel(NamedModel):
    """What `private` returns."""

    noise, clip, seed = 0.0, 1.0, None

    def _with(self, noise, clip, seed):
        check(noise >= 0 and clip > 0, "noise must be 0 or more, and clip above 0.", f"noise={noise!r}, clip={clip!r}",
               "noise=1.0 and clip=1.0 are a beginning.")  # fmt: skip
        mixing = [layer.name for layer in self._flatten_layers() if _mixes(layer)]
        rule = "In private training no layer may mix the examples of a batch."
        check(not mixing, rule, f"batch normalisation {mixing}",
               "Build the branches without it, or set trainable = False of these layers.")  # fmt: skip
        self.noise, self.clip, self.seed = float(noise), float(clip), seed
        self._draws = keras.random.SeedGenerator(seed)
        return self

    def compile(self, *args, **kwargs):
        super().compile(*args, **kwargs)
        name = type(self.optimizer).__name__
        check(name != "LossScaleOptimizer", "Private training needs unscaled gradients.", name,
               "Take float32 or mixed_bfloat16 as the policy.")  # fmt: skip
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        check(replicas == 1, "Private training runs on one device.", f"{replicas} replicas", "Leave the strategy out.")

    def train_step(self, data):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        count = tf.shape(tf.nest.flatten(x)[0])[0]
        variables = self.trainable_variables

        def added(sums, i):
            one = tf.nest.map_structure(lambda tensor: None if tensor is None else tensor[i : i + 1], (x, y, weights))
            with tf.GradientTape() as tape:
                loss = self.compute_loss(one[0], one[1], self(one[0], training=True), one[2], training=True)
            found = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            clipped, _ = tf.clip_by_global_norm([tf.convert_to_tensor(each) for each in found], self.clip)
            return [total + each for total, each in zip(sums, clipped, strict=True)]

        sums = tf.foldl(added, tf.range(count), [tf.zeros(v.shape, v.dtype) for v in variables])
        share = tf.cast(count, tf.float32)
        self.optimizer.apply([self._noisy(total) / tf.cast(share, total.dtype) for total in sums], variables)
        outputs = self(x, training=False)
        self._loss_tracker.update_state(self.compute_loss(x, y, outputs, weights, training=False), sample_weight=count)
        return self.compute_metrics(x, y, outputs, sample_weight=weights)

    def _noisy(self, total):
        noise = keras.random.normal(total.shape, stddev=self.noise * self.clip, seed=self._draws)
        return total + tf.cast(noise, total.dtype)

    def get_config(self):
        return super().get_config() | {"noise": self.noise, "clip": self.clip, "seed": self.seed}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        own = {key: config[key] for key in ("noise", "clip", "seed")}
        rest = {key: value for key, value in config.items() if key not in own}
        return super().from_config(rest, custom_objects)._with(**own)


def _mixes(layer):
    return layer.trainable and type(layer).__name__ in ("BatchNormalization", "BatchNorm")


def privacy_budget(*, noise: float, examples: int, batch_size: int, epochs: float, delta: float | None = None) -> float:
    """The epsilon of (epsilon, delta)-differential privacy that DP-SGD spends.

    Args:
        noise: as of `private`.
        examples: of the training part, n.
        batch_size: of `fit`.
        epochs: of `fit`, all of them that touched these examples.
        delta: chance that the promise fails; None is 1 / n ** 1.1.

    Returns:
        Float; infinity without noise.

    Raises:
        ImportError: dp-accounting is not installed.

    Source: Google's dp-accounting; privacy loss distributions, Sommer et al. (2019) and arXiv 2111.09679, of Poisson
    sampling.
    """
    check(0 < batch_size <= examples, "batch_size must be from 1 to the number of examples.",
           f"batch_size={batch_size!r}, examples={examples!r}", "Give those of fit.")  # fmt: skip
    try:
        import dp_accounting
        from dp_accounting import pld
    except ImportError as error:
        raise ImportError("privacy_budget needs dp-accounting. Install it: pip install 'mmkeras[privacy]'") from error
    if not noise:
        return float("inf")
    step = dp_accounting.PoissonSampledDpEvent(batch_size / examples, dp_accounting.GaussianDpEvent(noise))
    steps = max(1, round(epochs * examples / batch_size))
    accountant = pld.PLDAccountant().compose(dp_accounting.SelfComposedDpEvent(step, steps))
    return float(accountant.get_epsilon(examples**-1.1 if delta is None else delta))
