from mmkeras.evaluate import _html as page
from mmkeras.evaluate._slices import slices
from mmkeras.evaluate.classification_groups import fairness

_SHOWN = 12


def slice_(context):
    """Scores by the columns of the raw table, and rates by group."""
    by = context.options.get("slice_by")
    words = ("'gap' is the distance from the rest, below 0 it is worse; the intervals hold all at once (Bonferroni), p "
             "is corrected for the number of slices (Benjamini-Hochberg).")  # fmt: skip
    found, blocks = {}, [page.text(words, "note")]
    names = [head.name for head in context.heads]
    for head in context.heads:
        positions, labels, outputs = context.of(head)
        frame = context.frame(positions)
        table = slices(
            head, labels, outputs, frame=frame.drop(columns=names, errors="ignore") if by is None else frame, columns=by
        )
        found[head.name] = {"slices": table.to_dict("records")}
        blocks += [page.heading(head.name), _table(table.head(_SHOWN))]
        for column in context.options.get("fairness_by") or ():
            try:
                own = fairness(head, labels, outputs, group=frame[column])
            except ValueError as error:  # there are no rates for columns of numbers
                blocks.append(page.text(error, "note"))
            else:
                found[head.name].setdefault("fairness", {})[column] = own
                blocks += _rates(column, own)
    return found, blocks


def _table(table):
    if not len(table):
        return page.text("No column has from 2 to 20 values, or numbers: there is nothing to slice by.")
    return page.table(list(table.columns), table.values.tolist())


def _rates(column, own):
    for name, rates in own.items():
        keys = list(next(iter(rates["groups"].values())))
        rows = [[value, *each.values()] for value, each in rates["groups"].items()]
        rows.append(["largest gap", None, *(rates["gaps"][key] for key in keys[1:])])
        yield page.table([f"{name} by {column}", *keys], rows)
