from mmkeras.evaluate import _html as page
from mmkeras.evaluate._robustness import draw_robustness, robustness


def robust(context):
    """Curves of the score by the strength of what happens to each modality."""
    options = {key: context.options[key] for key in ("more", "strengths") if context.options.get(key)}
    found = robustness(context.model, context.preprocess, context.test, context.heads, reference=context.reference,
                       verbose=context.options.get("verbose", True), **options)  # fmt: skip
    words = "Main score as each modality gets worse, one at a time. Dotted: the modality is absent. 'relative' is the "
    words += "area under a curve"
    if context.reference is not None:
        words += ". Dashed: the reference model; 'effective' is the area between this model and the reference moved to "
        words += "the same start, above 0 this model loses less"
    blocks = [page.text(f"{words} (MultiBench).", "note")]
    for head in context.heads:
        path = draw_robustness(found, context.out_dir / f"{head.name}_robustness.png", head=head.name)
        strengths, rows = _rows(found[head.name])
        headings = ["", *(f"{each:g}" for each in strengths), "relative", "effective"]
        blocks += [page.heading(head.name), page.picture(path, style="wide"), page.table(headings, rows)]
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
