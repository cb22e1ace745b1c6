from mmkeras.evaluate import _html as page
from mmkeras.evaluate._robustness import draw_robustness, robustness


def robust(context):
    """Curves of the score by the strength of what happens to each modality."""
    options = {key: context.options[key] for key in ("more", "strengths") if context.options.get(key)}
    found = robustness(context.model, context.preprocess, context.test, context.heads, reference=context.reference,
                       verbose=context.options.get("verbose", True), **options)  # fmt: skip
    blocks = [page.text("Main score as each modality gets worse, one at a time; dotted: without it. 'relative' is the "
                        "area under a curve, 'effective' that above the reference model moved to the same start "
                        "(MultiBench).", "note")]  # fmt: skip
    for head in context.heads:
        path = draw_robustness(found, context.out_dir / f"{head.name}_robustness.png", head=head.name)
        strengths, rows = _rows(found[head.name])
        headings = ["", *(f"{each:g}" for each in strengths), "relative", "effective"]
        blocks += [page.heading(head.name), page.picture(path), page.table(headings, rows)]
    return found, blocks


def _rows(found):
    """Strengths, and a row for each curve and each absence."""
    curves = [
        (f"{modality}: {name}", curve) for modality, own in found["curves"].items() for name, curve in own.items()
    ]
    strengths = curves[0][1]["strengths"] if curves else []
    rows = [[name, *curve["scores"], curve["relative"], curve.get("effective")] for name, curve in curves]
    blank = [None] * (len(strengths) + 1)
    return strengths, rows + [[f"{name}: absent", score, *blank] for name, score in found["absent"].items()]
