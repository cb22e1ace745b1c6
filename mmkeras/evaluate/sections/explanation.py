import contextlib

import numpy as np

from mmkeras.evaluate import _html as page
from mmkeras.evaluate._draw_explanation import draw_explanation
from mmkeras.evaluate._errors import errors
from mmkeras.evaluate._explain import explain
from mmkeras.evaluate._grad_cam import attention_shares, grad_cam


def explanation(context):
    """A few answers of the first head explained: the most confident mistakes, and some that are right."""
    head = context.heads[0]
    positions, labels, outputs = context.of(head)
    table, count = errors(head, labels, outputs), context.options.get("explained", 4)
    order = np.concatenate([table["position"].to_numpy()[: -(-count // 2)], table["position"].to_numpy()[::-1]])
    chosen = positions[list(dict.fromkeys(order.tolist()))[:count]]
    blocks = [page.text("Integrated gradients: blue speaks for the answer, red against it; the shares sum to the "
                        "change of the score from nothing to the example.", "note")]  # fmt: skip
    found, by_position = [], table.set_index("position")
    for number, (position, (raw, ready)) in enumerate(zip(chosen, context.examples(chosen), strict=True)):
        own = explain(context.model, context.preprocess, raw, head=head.name)
        row = by_position.loc[np.flatnonzero(positions == position)[0]]
        title = (
            f"{head.name}: answered {page.cell(row['answer'])} ({own.score:.3f}), labelled {page.cell(row['truth'])}"
        )
        heat, read = _heat(context.model, ready, head, own.target), attention_shares(context.model, ready)
        path = draw_explanation(own, context.out_dir / f"explanation_{number}.png", title=title, heat=heat)
        blocks.append(page.picture(path, title))
        if read:
            words = ", ".join(f"{name} {share:.0%}" for name, share in read.items())
            blocks.append(page.text(f"Attention of the fusion: {words}."))
        found.append({"position": int(position), "target": own.target, "score": own.score, "baseline": own.baseline,
                      "shares": own.shares, "gap": own.gap, "attention": read})  # fmt: skip
    return found, blocks


def _heat(model, ready, head, target):
    """Grad-CAM of the modalities whose branches have a 2D convolution."""
    found = {}
    for spec in model.specs:
        with contextlib.suppress(ValueError):
            options = {"head": head.name, "target": target if head.classes else None}
            found[spec.name] = grad_cam(model, ready, modality=spec.name, **options)
    return found
