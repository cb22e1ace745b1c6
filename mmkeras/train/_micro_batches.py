import keras

from mmkeras.checks import check
from mmkeras.contract import NamedModel


def micro_batches(model: NamedModel, *, parts: int) -> None:
    """Makes `fit` take each batch in parts, one after the other: for batches whose activations do not fit in memory.

        mm.train.micro_batches(model, parts=8)
        model.fit(batches)                  # of 256, in eight parts of 32

    A step remains one step: the gradients of the parts are summed, and the optimizer is called once. So batches,
    learning rate, schedule and resuming stay as they are, and so does the result, except for what depends on the parts:

    - Batch normalisation uses the statistics of each part (ghost batch normalisation), and its moving averages take
      `parts` steps at a time: a `momentum` of m becomes m ** parts.
    - Dropout and other random numbers are drawn for each part.
    - The gradients of embeddings are summed as dense ones. Of a whole batch, Keras (3.15) hands Adam and its relatives
      one gradient for each occurrence of a token, and they square each of them instead of their sum.

    Under a strategy each replica takes its own share of the batch in parts, and gradients cross the network once a
    step, unlike with Keras' `gradient_accumulation_steps`, which works on one replica only.

    The batch itself is in memory as a whole. A step takes about as long as before on a CPU; on a GPU, small parts may
    not fill it. The setting is not saved with the model.

    Args:
        model: model of a builder of this package, compiled or not.
        parts: number of parts, at least 1, which takes a batch as a whole. A batch with fewer examples has fewer parts;
            one that `parts` does not divide has parts that differ by one example.

    Raises:
        ValueError: `parts` is not a positive integer; the model compares the examples of a batch with each other
            (`dual_encoder`, synchronised batch normalisation), or has a training step of its own; or another backend
            than TensorFlow.

    Example:

    >>> from mmkeras import Vector, branches, fusion, fusion_model, heads
    >>> spec, head = Vector("x", size=3), heads.regression("price", mean=0.0, std=1.0)
    >>> model = fusion_model([spec], {"x": branches.vector.linear(spec, dim=4)}, fusion.Concatenate(4), [head])
    >>> micro_batches(model, parts=4)

    Source: Huang et al., GPipe, arXiv 1811.06965, for the term; Hoffer et al., arXiv 1705.08741, for ghost batch
    normalisation.
    """
    check(type(parts) is int and parts >= 1, "parts must be a positive integer.", repr(parts), "1 takes batches whole.")
    backend = keras.backend.backend()
    remedy = "Give its optimizer gradient_accumulation_steps, and batches of the size of a part."
    check(parts == 1 or backend == "tensorflow", "micro_batches needs TensorFlow's backend.", backend, remedy)
    rule = "A model that is trained in parts must learn from each example by itself."
    comparing = [type(model).__name__] if hasattr(model, "tower") else []
    comparing += [layer.name for layer in model._flatten_layers() if getattr(layer, "synchronized", False)]
    remedy = "Use mm.distribute.strategy(mixed_precision=True), more devices, or smaller batches."
    check(parts == 1 or not comparing, rule, f"{comparing}, comparing the examples of a batch", remedy)
    own = type(model).train_step is not NamedModel.train_step
    remedy = "Build it with mm.fusion_model or another builder."
    check(parts == 1 or not own, "micro_batches replaces the training step.", f"{type(model).__name__}, with its own",
           remedy)  # fmt: skip
    model.micro_batches = parts
    model.train_function = None  # Keras keeps a traced step
