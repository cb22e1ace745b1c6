from mmkeras.evaluate import _html as page
from mmkeras.evaluate import _media as media
from mmkeras.evaluate._embeddings import embeddings
from mmkeras.evaluate._errors import errors, near_duplicates


def error(context):
    """The worst answers, labels in doubt, and examples of the test part that are among the training examples."""
    found, blocks = {}, []
    for head in context.heads:
        positions, labels, outputs = context.of(head)
        table = errors(head, labels, outputs, frame=context.frame(positions))
        doubted = table[table["likely_wrong"].astype(bool)]
        worst = table[table["score"] == 0] if head.classes else table
        worst = worst.head(context.options.get("gallery", 12))
        found[head.name] = {"worst": _listed(worst), "doubted_labels": _listed(doubted.head(50))}
        blocks += [page.heading(f"{head.name}: worst answers")]
        blocks.append(_gallery(context, positions, worst) if len(worst) else page.text("There is no wrong answer."))
        if len(doubted):
            words = f"{len(doubted)} labels are likely wrong (confident learning); the most confident ones:"
            rows = [
                [str(row), each["truth"], each["answer"], each["confidence"]]
                for row, each in doubted.head(10).iterrows()
            ]
            blocks += [page.text(words), page.table(["row", "label", "answer", "confidence"], rows)]
    if context.train is not None:
        found["near_duplicates"], block = _twins(context)
        blocks += block
    return found, blocks


def _listed(table):
    return [{"row": str(row), **each.to_dict()} for row, each in table.drop(columns="position").iterrows()]


def _gallery(context, positions, table):
    chosen = positions[table["position"]]
    cards = []
    for (row, each), (raw, ready) in zip(table.iterrows(), context.examples(chosen), strict=True):
        caption = f"row {row}: answered {page.cell(each['answer'])}, labelled {page.cell(each['truth'])}"
        sure = f", confidence {each['confidence']:.2f}" if each["confidence"] == each["confidence"] else ""
        own = [media.shown(spec, {name: raw[name] for name in spec.raw}, {name: ready[name][0] for name in spec.ready})
               for spec in context.model.specs]  # fmt: skip
        cards.append([page.text(caption + sure), *own])
    return page.gallery(cards)


def _twins(context):
    parts = [embeddings(context.model, context.batches(raw)) for raw in (context.train, context.test)]
    table = near_duplicates(parts[1], parts[0], most=len(parts[1]))
    words = (f"{len(table)} of {len(parts[1])} test examples have a training example with a cosine of 0.98 or more "
             "between embeddings. Those of a trained model are alike within a class: look before you believe "
             "it")  # fmt: skip
    blocks = [
        page.heading("Near-duplicates of training examples"),
        page.text(words + (". The nearest:" if len(table) else ".")),
    ]
    rows = [[str(int(a)), int(b), float(c)] for a, b, c in table.head(10).values.tolist()]
    blocks += [page.table(["row of the test part", "row of the training part", "cosine"], rows)] if rows else []
    return {"count": len(table), "pairs": table.head(100).to_dict("records")}, blocks
