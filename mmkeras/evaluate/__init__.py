"""How good a model is, against what, where it fails, and why it answers as it does.

report = mm.evaluate.report(model, test_batches, heads, out_dir="runs/1/report", train=raw,
                            baselines={"photo only": photo_model})
rich.print(mm.evaluate.table(report))
mm.evaluate.summary(report)["accuracy"]
mm.evaluate.full_report(model, preprocess, raw_test, out_dir="runs/1/all", train=raw, valid=raw_valid)  # report.html

| question | functions |
|---|---|
| how good, how sure is that | `report`, `full_report`, `scores`, `bootstrap` |
| are its probabilities right | `calibration`, `calibrated`, `temperature`, `thresholds`, `with_thresholds` |
| within what bounds are its numbers | `conformal` |
| does fusion pay | `train_baselines`, `verdict`, `paired` |
| what does each modality add | `contributions`, `subsets`, `mask_modalities`, `column_importance` |
| what if inputs get worse | `robustness`, `draw_robustness`; `corruptions` |
| where is it worse, and for whom | `slices`, `fairness` |
| which answers are wrong, or labels | `errors`, `wrong_labels`, `near_duplicates`, `embeddings` |
| why this answer | `explain`, `draw_explanation`, `grad_cam`, `attention`, `attention_shares`; `attribution` |
| does it give training examples away | `membership` |

What differs by kind of head is in the modules of `KINDS`; by modality, in those of `attribution` and `corruptions`.
"""

from mmkeras.evaluate import attribution, corruptions
from mmkeras.evaluate._bootstrap import bootstrap
from mmkeras.evaluate._conformal import conformal
from mmkeras.evaluate._contributions import contributions
from mmkeras.evaluate._cross_validation import cross_validation
from mmkeras.evaluate._draw_explanation import draw_explanation
from mmkeras.evaluate._embeddings import embeddings
from mmkeras.evaluate._errors import errors, near_duplicates
from mmkeras.evaluate._explain import Explanation, explain
from mmkeras.evaluate._full_report import full_report
from mmkeras.evaluate._grad_cam import attention, attention_shares, grad_cam
from mmkeras.evaluate._linear import linear_embeddings
from mmkeras.evaluate._membership import membership
from mmkeras.evaluate._predict import majority_baseline, predict
from mmkeras.evaluate._report import report, table
from mmkeras.evaluate._retrieval import retrieval, retrieval_table
from mmkeras.evaluate._robustness import draw_robustness, robustness
from mmkeras.evaluate._scores import scores
from mmkeras.evaluate._slices import slices
from mmkeras.evaluate._subsets import mask_modalities, subsets
from mmkeras.evaluate._summary import summary
from mmkeras.evaluate._verdict import paired, train_baselines, verdict
from mmkeras.evaluate.classification_calibration import calibrated, calibration, temperature
from mmkeras.evaluate.classification_groups import fairness
from mmkeras.evaluate.classification_rows import wrong_labels
from mmkeras.evaluate.classification_thresholds import thresholds, with_thresholds
from mmkeras.evaluate.kinds import KINDS
from mmkeras.evaluate.sections import SECTIONS
from mmkeras.evaluate.table_columns import column_importance

__all__ = [
    "KINDS", "SECTIONS", "Explanation", "attention", "attention_shares", "attribution", "bootstrap", "calibrated",
    "calibration", "column_importance", "conformal", "contributions", "corruptions", "cross_validation",
    "draw_explanation", "draw_robustness", "embeddings", "errors", "explain", "fairness", "full_report", "grad_cam",
    "linear_embeddings", "majority_baseline", "mask_modalities", "membership", "near_duplicates", "paired", "predict",
    "report", "retrieval", "retrieval_table", "robustness", "scores", "slices", "subsets", "summary", "table",
    "temperature", "thresholds", "train_baselines", "verdict", "with_thresholds", "wrong_labels",
]  # fmt: skip
