"""The sections of a full report: a function for each, from the `Context` to (dict for JSON, list of HTML blocks)."""

from mmkeras.evaluate.sections.contribution import contribution
from mmkeras.evaluate.sections.error import error
from mmkeras.evaluate.sections.explanation import explanation
from mmkeras.evaluate.sections.fusion import fusion
from mmkeras.evaluate.sections.privacy import privacy
from mmkeras.evaluate.sections.robust import robust
from mmkeras.evaluate.sections.score import score
from mmkeras.evaluate.sections.slice import slice_

SECTIONS = {
    "scores": ("Scores", score),
    "fusion": ("Does fusion pay?", fusion),
    "contributions": ("What each modality contributes", contribution),
    "robustness": ("Robustness", robust),
    "slices": ("Slices and groups", slice_),
    "errors": ("Errors to look at", error),
    "explanations": ("Single answers explained", explanation),
    "privacy": ("Privacy", privacy),
}
