import keras

from mmkeras.specs import did_you_mean


def discriminative(optimizer, model, rates):
    """An optimizer with learning rates of their own for some branches: a small one for what is pretrained.

        optimizer = mm.train.discriminative("adam", model, {"review": 0.05, "photo": 0.1})
        model.compile(optimizer, **mm.heads.compile_for(heads))

    Where blocks are thawed or frozen later, make it again before compiling again.

    Args:
        optimizer: optimizer of Keras, or its name.
        model: model it is for, as built; what is frozen is frozen already.
        rates: dict, name of a branch's spec, or of a layer of `model` -> factor of the learning rate. 1 elsewhere.

    Returns:
        `Discriminative`, to compile with. Schedules and callbacks change the common learning rate.

    Raises:
        ValueError: no branch or layer is called so, or a factor is not positive.

    Source: Howard and Ruder, arXiv 1801.06146, section 3.2; by branch here, not by layer.
    """
    names = {layer.name: layer for layer in model.layers}
    names |= {name.removesuffix("_branch"): layer for name, layer in names.items() if name.endswith("_branch")}
    factors = {}
    for name, factor in rates.items():
        if name not in names:
            raise ValueError(f"rates are by branch. Received: {name!r}. {did_you_mean(name, names)}".strip())
        if not factor > 0:
            raise ValueError(
                f"A factor must be positive. Received: {name!r}: {factor!r}. What is not to be trained is frozen by "
                'train="none" of its branch.'
            )
        factors |= {id(variable): float(factor) for variable in names[name].trainable_variables}
    optimizer = keras.optimizers.get(optimizer)
    return Discriminative(optimizer, [factors.get(id(variable), 1.0) for variable in model.trainable_variables])


@keras.saving.register_keras_serializable("mmkeras")
class Discriminative(keras.optimizers.Optimizer):
    """Wraps an optimizer so that each variable has a learning rate, and a weight decay, of its own.

    Args:
        optimizer: optimizer of Keras that does all the work: momentum, clipping, weight decay, averages.
        factors: list, factor of the learning rate of each trainable variable of the model, in their order.

    Raises:
        ValueError: the model has more or fewer trainable variables.
    """

    def __init__(self, optimizer, factors, name="discriminative"):
        super().__init__(learning_rate=0.0, name=name)
        self.optimizer = optimizer
        self.factors = list(factors)
        self._plain = optimizer.update_step, optimizer._apply_weight_decay
        optimizer.update_step = self._update
        optimizer._apply_weight_decay = self._decay

    def _factor(self, variable):
        return self.factors[self.optimizer._get_variable_index(variable)]

    def _update(self, gradient, variable, learning_rate):
        self._plain[0](gradient, variable, learning_rate * self._factor(variable))

    def _decay(self, variables):
        whole = self.optimizer.weight_decay
        for factor in sorted(set(self.factors)) if whole else ():
            self.optimizer.weight_decay = whole * factor
            self._plain[1]([variable for variable in variables if self._factor(variable) == factor])
        self.optimizer.weight_decay = whole

    def build(self, variables):
        if len(variables) != len(self.factors):
            raise ValueError(
                f"A discriminative optimizer is for the model it was made for, of {len(self.factors)} trainable "
                f"variables. Received: {len(variables)}. Call mm.train.discriminative again after freezing or thawing."
            )
        self.optimizer.build(variables)
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        if not self.built:
            with keras.name_scope(self.name):
                self.build(trainable_variables)
            self.built = True
        self.optimizer.apply(grads, trainable_variables)

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
        return {"name": self.name, "optimizer": optimizer, "factors": list(self.factors)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config | {"optimizer": keras.optimizers.deserialize(config["optimizer"], custom_objects)})
