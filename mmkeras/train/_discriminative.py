import math
import numbers
import types
from collections.abc import Mapping, Sequence

import keras

from mmkeras.checks import did_you_mean


def discriminative(
    optimizer: str | keras.optimizers.Optimizer, model: keras.Model, factors: Mapping[str, float]
) -> keras.optimizers.Optimizer:
    """An optimizer with separate learning rates for some branches, such as a small one for pretrained branches.

        optimizer = mm.train.discriminative("adam", model, {"review": 0.05, "photo": 0.1})
        model.compile(optimizer, **mm.heads.compile_for(heads))

    After unfreezing further blocks, call it again, `mm.train.discriminative(model.optimizer, model, factors)`, and
    recompile.

    Args:
        optimizer: Keras optimizer, or its name. It is copied without its state; if it was made by this function, the
            wrapped optimizer is copied.
        model: the built model. Layers to be frozen must be frozen before the call.
        factors: dict, name of a branch's spec, of a head (all of its output weights), or of a layer of `model` ->
            factor of the learning rate, 1 by default. If several names include a weight, the last one applies.

    Returns:
        `Discriminative`, to compile with, wrapped in a `LossScaleOptimizer` if one was given. Schedules and callbacks
        act on the common learning rate.

    Raises:
        ValueError: a name is not that of a branch, head or layer, or has no trainable weights; or a factor is not a
            positive number.

    Source: Howard and Ruder, arXiv 1801.06146, section 3.2; applied to branches here, to layers there.
    """
    by_variable = {}
    for name, factor in factors.items():
        variables = _trained(model, name)
        _check_factor(name, factor)
        by_variable |= {id(variable): float(factor) for variable in variables}
    return _wrapped(keras.optimizers.get(optimizer), model.trainable_variables, by_variable)


def _wrapped(optimizer, variables, factors):
    # Keras only recognises a LossScaleOptimizer if it is the outermost optimizer.
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = _wrapped(optimizer.inner_optimizer, variables, factors)
        return keras.optimizers.LossScaleOptimizer(
            inner, optimizer.initial_scale, optimizer.dynamic_growth_steps, name=optimizer.name
        )
    inner = optimizer.optimizer if isinstance(optimizer, Discriminative) else optimizer
    made = Discriminative(inner, [factors.get(id(variable), 1.0) for variable in variables])
    made.take(variables)
    return made


def _trained(model, name):
    """The trainable variables under a name in `factors`."""
    layers = [layer for layer in model.layers if name in names_of(layer)]
    variables = [variable for layer in layers for variable in layer.trainable_variables]
    if not layers:
        known = dict.fromkeys(each for layer in model.layers if layer.trainable_variables for each in names_of(layer))
        raise ValueError(f"factors must be given by branch. Received: {name!r}. {did_you_mean(name, known)}".strip())
    if not variables:
        raise ValueError(
            f"factors are for trainable branches. Received: {name!r}, which is frozen or has no weights. Leave it out, "
            "or unfreeze it first."
        )
    return variables


def names_of(layer):
    """Names that refer to a layer: its own, the spec of its branch, and the head that it belongs to."""
    answer = layer.name.removesuffix("_logits").removesuffix("_standardised")
    whole = answer.partition(".")[0].removesuffix("-of-all")  # outputs NAME.SPEC and NAME-of-all belong to head NAME
    return [layer.name.removesuffix("_branch"), layer.name, answer, whole]


def _check_factor(name, factor):
    if not isinstance(factor, numbers.Real) or isinstance(factor, bool) or not 0 < factor < math.inf:
        raise ValueError(
            f"A factor must be a positive number. Received: {name!r}: {factor!r}. "
            'To freeze a branch, build it with train="none".'
        )


def _copied(optimizer):
    """A new optimizer with the same settings, so that wrapping does not change the user's optimizer."""
    config = optimizer.get_config()
    if not isinstance(optimizer._learning_rate, keras.Variable):
        # Keep a schedule as an object; its class may not be registered.
        config["learning_rate"] = optimizer._learning_rate
    copied = type(optimizer).from_config(config)
    excluded = {key: value for key, value in vars(optimizer).items() if key.startswith("_exclude_from_weight_decay")}
    vars(copied).update(excluded)  # these settings are not part of the config
    return copied


@keras.saving.register_keras_serializable("mmkeras")
class Discriminative(keras.optimizers.Optimizer):
    """Wraps an optimizer so that each variable has a learning rate, and a weight decay, of its own.

    Args:
        optimizer: optimizer of Keras; a copy of it applies momentum, clipping, weight decay and averaging.
        factors: list, factor of the learning rate of each trainable variable of the model, in order.

    Raises:
        ValueError: it is given a variable it was not made for, such as one unfrozen since.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, factors: Sequence[float], *, name: str = "discriminative"
    ) -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.optimizer = _copied(optimizer)
        self.factors = list(factors)
        # Hidden from Keras, which would track the variables.
        self._own = types.SimpleNamespace(variables=None, factors={})
        self._plain = self.optimizer.update_step, self.optimizer._apply_weight_decay
        self.optimizer.update_step = self._update
        self.optimizer._apply_weight_decay = self._decay

    def take(self, variables: Sequence[keras.Variable]) -> None:
        """Holds from now on which variable each factor is for.

        By the variables themselves: their paths are those of their branch, where another has the same, and some are
        others after loading (Keras 3.15).
        """
        self._own.variables = list(variables)
        keys = map(self.optimizer._var_key, variables)
        self._own.factors = dict(zip(keys, self.factors, strict=True))

    def _factor(self, variable):
        return self._own.factors[self.optimizer._var_key(variable)]

    def _update(self, gradient, variable, learning_rate):
        self._plain[0](gradient, variable, learning_rate * self._factor(variable))

    def _decay(self, variables):
        whole = self.optimizer.weight_decay
        for factor in sorted(set(self.factors)) if whole else ():
            self.optimizer.weight_decay = whole * factor
            self._plain[1]([variable for variable in variables if self._factor(variable) == factor])
        self.optimizer.weight_decay = whole

    def build(self, variables):
        # If the numbers differ, `apply` raises an error: a loaded model is built with all that is trainable now.
        if self._own.variables is None and len(variables) == len(self.factors):
            self.take(variables)
        self.optimizer.build(variables)
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            self._check(trainable_variables)
        if not self.built:
            with keras.name_scope(self.name):
                self.build(trainable_variables)
            self.built = True
        self.optimizer.apply(grads, trainable_variables)

    def _check(self, variables):
        if self._own.variables is None and not self.built and len(variables) == len(self.factors):
            return
        key = self.optimizer._var_key
        new = [variable.path for variable in variables if key(variable) not in self._own.factors]
        if new:
            raise ValueError(
                f"A discriminative optimizer can only train the model it was made for, with {len(self.factors)} "
                f"trainable variables. Received: {len(variables)}, of which new: {new[:3]}. After unfreezing, call "
                "mm.train.discriminative(model.optimizer, model, factors) again and compile with it."
            )

    def update_step(self, gradient, variable, learning_rate):
        self.optimizer.update_step(gradient, variable, learning_rate)

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        return self.optimizer.stateless_apply(optimizer_variables, grads, trainable_variables)

    @property
    def variables(self):
        return self.optimizer.variables

    @property
    def learning_rate(self):
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.optimizer.learning_rate = learning_rate

    @property
    def iterations(self):
        return self.optimizer.iterations

    def save_own_variables(self, store):
        """The wrapped optimizer saves them."""

    def load_own_variables(self, store):
        """The wrapped optimizer loads them."""

    def scale_loss(self, loss):
        return self.optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list):
        self.optimizer.finalize_variable_values(var_list)

    def get_config(self):
        optimizer = keras.optimizers.serialize(self.optimizer)
        factors = list(self.factors)
        if self._own.variables is not None:
            # Save factors of trainable variables only: they must not fit if equally many others are unfrozen later.
            pairs = zip(self._own.variables, factors, strict=True)
            factors = [factor for variable, factor in pairs if variable.trainable]
        return {"name": self.name, "optimizer": optimizer, "factors": factors}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config | {"optimizer": keras.optimizers.deserialize(config["optimizer"], custom_objects)})
