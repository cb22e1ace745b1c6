"""Names are the contract: of inputs, outputs, labels and weights, checked by every model of the package.

named_model  the `keras.Model` that refuses other names, shapes and dtypes, and knows its specs and heads
fitting      what its `fit`, `evaluate` and `predict` do that Keras' own do not
teaching     how heads that learn from true tokens are given their labels in `fit`
auxiliary    the names of outputs that single modalities have
raw_examples what raw examples know of themselves
"""

from mmkeras.contract.auxiliary import auxiliary_name
from mmkeras.contract.named_model import NamedModel, without_auxiliary

__all__ = ["SAMPLE_WEIGHT", "NamedModel", "auxiliary_name", "without_auxiliary"]

SAMPLE_WEIGHT = "sample_weight"  # raw key of the example weights, () float32, stored next to the labels
