from mmkeras.evaluate import _html as page
from mmkeras.evaluate._membership import membership
from mmkeras.evaluate._predict import predict
from mmkeras.evaluate.sections.base import Missing


def privacy(context):
    """How well the loss tells training examples from others."""
    if context.train is None:
        raise Missing("No training examples were given: train=raw_train asks whether the model gives them away.")
    told = predict(context.model, context.batches(context.train), context.heads, with_weights=True)
    found = {}
    for head in context.heads:
        found[head.name] = membership(head, *(_labelled(head, *part) for part in (told, context.predicted)))
    rows = [[name, own["auc"], own["interval"], own["train_loss"], own["test_loss"]] for name, own in found.items()]
    words = ("Membership inference by the loss: a guess whether an example was trained on, from its loss alone. An AUC "
             "of 0.5 is chance, 1 gives every training example away.")  # fmt: skip
    return found, [page.text(words, "note"), page.table(["head", "AUC", "95 %", "loss, train", "loss, test"], rows)]


def _labelled(head, labels, outputs, weights):
    there = slice(None) if weights is None else weights[head.name] > 0
    return labels[head.name][there], outputs[head.name][there]
