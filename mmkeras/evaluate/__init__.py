"""How good a model is, against what: scores with intervals, pictures, and rows of simpler models beside it.

report = mm.evaluate.report(model, test_batches, heads, out_dir="runs/1/report", train=raw,
                            baselines={"photo only": photo_model})
rich.print(mm.evaluate.table(report))
mm.evaluate.summary(report)["accuracy"]
"""

from mmkeras.evaluate._linear import linear_embeddings
from mmkeras.evaluate._predict import majority_baseline, predict
from mmkeras.evaluate._report import report, table
from mmkeras.evaluate._retrieval import retrieval, retrieval_table
from mmkeras.evaluate._scores import scores
from mmkeras.evaluate._subsets import mask_modalities, subsets
from mmkeras.evaluate._summary import summary
from mmkeras.evaluate.kinds import KINDS

__all__ = [
    "KINDS", "linear_embeddings", "majority_baseline", "mask_modalities", "predict", "report", "retrieval",
    "retrieval_table", "scores", "subsets", "summary", "table",
]  # fmt: skip
