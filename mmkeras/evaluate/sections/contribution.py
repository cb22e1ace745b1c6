from matplotlib.figure import Figure

from mmkeras.evaluate import _html as page
from mmkeras.evaluate._contributions import contributions
from mmkeras.evaluate.drawing import COLOURS, save
from mmkeras.evaluate.table_columns import column_importance, tables_of


def contribution(context):
    """Shapley values, pairs, and the columns of tables."""
    batches = context.batches(context.test)
    shares = contributions(context.model, batches, context.heads, verbose=context.options.get("verbose", True))
    tables = list(tables_of(context.model))
    columns = {
        name: column_importance(context.model, batches, context.heads, table=name, verbose=False) for name in tables
    }
    words = ("Shapley values of the main score: what each modality adds, on average over the orders they may come in. "
             "They sum to the score with all of them less that with none. Interaction of a pair: above 0 the two "
             "complete each other, below 0 they say the same.")  # fmt: skip
    blocks = [page.text(words, "note")]
    found = {}
    for head in context.heads:
        own = {key: value for key, value in shares[head.name].items() if key != "examples"}
        file = save(_bars(own), context.out_dir, head, "shapley")
        blocks += [page.heading(head.name), page.picture(context.out_dir / file, style="half")]
        blocks.append(
            page.table(["present", "score"], [[name or "nothing", value] for name, value in own["values"].items()])
        )
        if own["interactions"]:
            blocks.append(page.table(["pair", "interaction"], own["interactions"].items()))
        for name in tables:
            rows = [[column, *each] for column, each in columns[name][head.name].items()]
            blocks.append(page.table([f"column of {name}", "lost when shuffled", "deviation"], rows))
        found[head.name] = own | {"columns": {name: columns[name][head.name] for name in tables}}
    return found, blocks


def _bars(own):
    names, values = list(own["shapley"]), list(own["shapley"].values())
    figure = Figure(figsize=(6.4, 1.0 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, values, color=COLOURS[0], height=0.6)
    axes.invert_yaxis()
    axes.axvline(0, color="#444444", lw=0.8)
    axes.set_xlabel("adds to the score" + (" (an error: below 0 is good)" if own["lower_is_better"] else ""))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
