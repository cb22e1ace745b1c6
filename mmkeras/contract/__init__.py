"""Names are the contract: of inputs, outputs, labels and weights, checked by every model of the package.

named_model    a `keras.Model` that refuses other names, shapes and dtypes, and knows its specs and heads
fitting        its extensions of `fit`, `evaluate` and `predict`
micro_batches  a training step that takes its batch in parts
gradients      their sum over all replicas, before it is clipped
teaching       teacher forcing: passes labels to heads in `fit`
auxiliary      the names of the outputs of single modalities
raw_examples   metadata of raw examples
"""

from mmkeras.contract.auxiliary import auxiliary_name
from mmkeras.contract.named_model import NamedModel, without_auxiliary

__all__ = ["SAMPLE_WEIGHT", "NamedModel", "auxiliary_name", "without_auxiliary"]

SAMPLE_WEIGHT = "sample_weight"  # raw key of the example weights, () float32, stored next to the labels
