from mmkeras.evaluate import _html as page
from mmkeras.evaluate._membership import losses, of_losses
from mmkeras.evaluate.sections.base import Missing


def privacy(context):
    """How well the loss tells training examples from others."""
    if context.train is None:
        raise Missing("No training examples were given: train=raw_train asks whether the model gives them away.")
    parts = [losses(context.model, context.batches(raw), context.heads) for raw in (context.train, context.test)]
    unknown = [head.name for head in context.heads if not len(parts[0][head.name])]
    names = [head.name for head in context.heads if head.name not in unknown]
    found = {name: of_losses(*(part[name] for part in parts)) for name in names}
    rows = [[name, own["auc"], own["interval"], own["train_loss"], own["test_loss"]] for name, own in found.items()]
    words = ("Membership inference by the loss: a guess whether an example was trained on, from its loss alone. An AUC "
             "of 0.5 is chance, 1 gives every training example away.")  # fmt: skip
    notes = [page.text(f"No training example has a label of {', '.join(unknown)}.", "note")] if unknown else []
    return found, [
        page.text(words, "note"),
        *notes,
        page.table(["head", "AUC", "95 %", "loss, train", "loss, test"], rows),
    ]
