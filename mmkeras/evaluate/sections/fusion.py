from mmkeras.evaluate import _html as page
from mmkeras.evaluate._verdict import verdict
from mmkeras.evaluate.sections.base import Missing


def fusion(context):
    """The verdict in words, and the scores of all baselines."""
    if not context.baselines:
        raise Missing(
            "No baselines were given: baselines=evaluate.train_baselines(...) trains them with the same budget."
        )
    group = context.options.get("group")
    group = None if group is None else context.frame()[group]
    found = verdict(context.model, context.baselines, context.batches(context.test), context.heads, group=group)
    blocks = []
    for name, own in found.items():
        rows = [["this model", own["model"]], *own["rows"].items()]
        blocks += [page.text(own["verdict"], "verdict"), page.table(["", f"{name}: mean score"], rows)]
    return found, blocks
