"""Classifiers whose classes are defined by phrases alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from mmkeras.checks import check, did_you_mean
from mmkeras.contract import NamedModel
from mmkeras.heads import Classification
from mmkeras.models import DualEncoder
from mmkeras.preprocess import Preprocess


def zero_shot(
    model: DualEncoder,
    preprocess: Preprocess,
    *,
    head: Classification,
    phrases: str | Mapping[str, str | Sequence[str]] | None = None,
    text: str | None = None,
    of: str | None = None,
    name: str = "zero_shot",
) -> NamedModel:
    """A classifier without training: the class whose phrases lie nearest answers.

    A class is the mean direction p of its phrases' vectors, and the answer softmax(scale * p x), with x the vector of
    the other modality and the learned scale of the model. What comes out is a model like any other: it is evaluated,
    exported and trained further (its output layer starts as these p) as those of `fusion_model`.

    Args:
        model: trained `mm.dual_encoder`.
        preprocess: adapted model, raw -> ready.
        head: classification of single labels, which says the classes.
        phrases: dict, class -> phrase, or list of them; or one string with {} for the class, "a picture of {}". None:
            the names of the classes.
        text: name of the modality of the phrases; None: the only text.
        of: name of the modality that is classified; None: the only other one.
        name: of the model.

    Returns:
        A functional `keras.Model` from the ready tensors of `of` to the probabilities (B, N) of the head.

    Raises:
        ValueError: the head has several labels, a class lacks its phrases, or it is not clear which modality is meant.

    Source: Radford et al., arXiv 2103.00020, section 3.1.4, with the mean over phrases in the space of embeddings.
    """
    check(getattr(head, "classes", ()) and head.activation == "softmax", "zero_shot needs a head of single labels.",
          head, "Give mm.heads.classification(name, classes).")  # fmt: skip
    texts = [spec.name for spec in model.specs if spec.kind == "text"]
    text = _one("text", text, texts)
    of = _one("of", of, [spec.name for spec in model.specs if spec.name != text])
    tower = model.tower(of)
    output = head.output(tower.output[of])
    made = NamedModel.of(tower.input, {head.name: output}, tower.specs, [head], name=name)
    classes = _directions(model, preprocess, head, _phrases(head, phrases), text)
    made.get_layer(f"{head.name}_logits").set_weights([float(model.scale) * classes.T, np.zeros(len(classes))])
    return made


def _one(argument, given, names):
    clear = len(names) == 1 if given is None else given in names
    remedy = did_you_mean(given, names) or f"Give {argument}=, one of them."
    check(clear, f"{argument} is one of the modalities {names}.", repr(given), remedy)
    return names[0] if given is None else given


def _phrases(head, phrases):
    """Class -> list of phrases."""
    if phrases is None or isinstance(phrases, str):
        form = "{}" if phrases is None else phrases
        check("{}" in form, "A phrase for all classes holds {} for the class.", repr(form), "Write 'a picture of {}'.")
        phrases = {each: form.replace("{}", each.replace("_", " ")) for each in head.classes}
    missing = [each for each in head.classes if not phrases.get(each)]
    unknown = [each for each in phrases if each not in head.classes]
    received = f"without: {missing}, unknown: {unknown}"
    check(not missing and not unknown, f"Head '{head.name}' needs phrases for each class.", received, "Complete them.")
    return {each: [phrases[each]] if isinstance(phrases[each], str) else list(phrases[each]) for each in head.classes}


def _directions(model, preprocess, head, phrases, text):
    """(N, D) float32 unit vectors of the classes."""
    every = [phrase for several in phrases.values() for phrase in several]
    ready = preprocess.part([text])({text: tf.constant(every)}, training=False)
    vectors = np.asarray(model.tower(text)(ready, training=False)[text])
    rows = np.repeat(np.arange(len(phrases)), [len(several) for several in phrases.values()])
    sums = np.zeros((len(phrases), vectors.shape[1]), "float32")
    np.add.at(sums, rows, vectors)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
