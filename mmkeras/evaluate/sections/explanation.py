import contextlib

from mmkeras.checks import did_you_mean
from mmkeras.evaluate import _html as page
from mmkeras.evaluate._draw_explanation import draw_explanation
from mmkeras.evaluate._errors import errors
from mmkeras.evaluate._explain import explain
from mmkeras.evaluate._grad_cam import attention_shares, grad_cam

_WORDS = ("Integrated gradients: blue speaks for the answer, red against it; the shares sum to the change of the score "
          "from nothing to the example. The score of a class is its probability, that of a text the log-probability of "
          "the text that is answered.")  # fmt: skip


def explanation(context):
    """A few answers of each head explained: the most confident mistakes, and some that are right."""
    chosen, found, blocks = _chosen(context), {}, [page.text(_WORDS, "note")]
    for head in chosen:
        blocks.append(page.heading(head.name))
        found[head.name], shown = _of_head(context, head)
        blocks += shown
    left = [head.name for head in context.heads if head not in chosen]
    blocks += [page.text(f"Not explained, as it was not asked for: {', '.join(left)}.", "note")] if left else []
    return found, blocks


def _chosen(context):
    names, heads = context.options.get("explained_heads"), {head.name: head for head in context.heads}
    for name in names or ():
        if name not in heads:
            raise ValueError(f"explained_heads= must name heads of the model. Received: {name!r}. "
            f"{did_you_mean(name, heads)} "
                             f"Heads: {list(heads)}.")  # fmt: skip
    return [heads[name] for name in (heads if names is None else names)]


def _of_head(context, head):
    positions, labels, outputs = context.of(head)
    table = errors(head, labels, outputs).set_index("position")
    rows = _rows(table, context.options.get("explained", 4))
    found, blocks = [], []
    for number, (row, (raw, ready)) in enumerate(zip(rows, context.examples(positions[rows]), strict=True)):
        each = table.loc[row]
        own = explain(context.model, context.preprocess, raw, head=head.name)
        title = f"{head.name}: answered {_short(each['answer'])} ({own.measure} {own.score:.3f}), "
        title += f"labelled {_short(each['truth'])}"
        path = context.out_dir / f"{head.name}_explanation_{number}.png"
        draw_explanation(own, path, title=title, heat=_heat(context.model, ready, head, own.target))
        blocks.append(page.picture(path, title))
        read = attention_shares(context.model, ready)
        if read:
            words = ", ".join(f"{name} {share:.0%}" for name, share in read.items())
            blocks.append(page.text(f"Attention of the fusion: {words}."))
        found.append({"position": int(positions[row]), "target": own.target, "measure": own.measure,
                      "score": own.score, "baseline": own.baseline, "shares": own.shares, "gap": own.gap,
                      "attention": read})  # fmt: skip
    return found, blocks


def _rows(table, count):
    """Half of them the worst ones, the others the best ones."""
    order = table.index.to_numpy()
    return list(dict.fromkeys([*order[: -(-count // 2)], *order[::-1]]))[:count]


def _short(value):
    text = page.cell(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _heat(model, ready, head, target):
    """Grad-CAM of the modalities whose branches have a 2D convolution."""
    found = {}
    for spec in model.specs:
        with contextlib.suppress(ValueError):
            options = {"head": head.name, "target": target if head.classes else None}
            found[spec.name] = grad_cam(model, ready, modality=spec.name, **options)
    return found
