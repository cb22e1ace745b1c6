from mmkeras.evaluate import _html as page
from mmkeras.evaluate._bootstrap import bootstrap
from mmkeras.evaluate._report import report
from mmkeras.evaluate.kinds import kind_of

_HEADINGS = {"f1": "F1", "support": "examples", "roc_auc": "ROC AUC", "pr_auc": "average precision"}


def score(context):
    """Scores of the model and the rows beside it, intervals, and the pictures of each kind of head."""
    found = report(context.model, context.batches(context.test), context.heads, out_dir=context.out_dir,
                   train=context.train, baselines=context.baselines, specs=context.model.specs)  # fmt: skip
    blocks = [page.text("95 % intervals, in brackets, are bootstrapped" + _by_group(context) + ".", "note")]
    details, files = {}, list(found["files"])
    for head in context.heads:
        own, shown = _head(context, head, found, files, _own(files, head, context.heads))
        details[head.name] = own
        blocks += shown
    return found | {"files": files, "details": details}, blocks


def _by_group(context):
    group = context.options.get("group")
    return f", by '{group}'" if group else ""


def _own(files, head, heads):
    """The files of a head: the name of another one may begin with its own."""
    longest = {file: max((each.name for each in heads if file.startswith(f"{each.name}_")), key=len, default=None)
               for file in files}  # fmt: skip
    return [file for file in files if longest[file] == head.name]


def _head(context, head, found, files, drawn):
    positions, labels, outputs = context.of(head)
    group = context.options.get("group")
    group = None if group is None else context.frame(positions)[group]
    columns = kind_of(head.kind).columns(found["models"]["model"][head.name])
    intervals = bootstrap(head, labels, outputs, group=group, samples=context.options.get("samples", 200))
    rows = [[name, *(_cell(row[head.name], key, intervals if name == "model" else {}) for key in columns.values())]
            for name, row in found["models"].items()]  # fmt: skip
    blocks = [page.heading(head.name), page.table([f"{len(labels)} examples", *columns], rows)]
    per_class = found["models"]["model"][head.name].get("per_class")
    if per_class:
        keys = [_HEADINGS.get(key, key) for key in next(iter(per_class.values()))]
        blocks.append(page.table(["class", *keys], [[name, *row.values()] for name, row in per_class.items()]))
    details, kind, pictures = {"intervals": intervals}, kind_of(head.kind), []
    if hasattr(kind, "details"):
        own, pictures = kind.details(head, labels, outputs, None, context.out_dir, context.validation(head))
        details |= own
        files += pictures
        blocks += [page.text(line) for line in _lines(own)]
    return details, blocks + _files(context, [*drawn, *pictures])


def _files(context, names):
    """Pictures of one head; other files, such as tables of all texts, by their names."""
    others = [name for name in names if not name.endswith(".png")]
    blocks = [page.picture(context.out_dir / name, style="half") for name in names if name not in others]
    return blocks + ([page.text(f"Beside this page: {', '.join(others)}.", "note")] if others else [])


def _cell(found, key, intervals):
    text = page.cell(found.get(key))
    ends = intervals.get(key)
    return text if not ends or ends[0] is None else f"{text}\n({ends[0]:.3g} to {ends[1]:.3g})"


def _lines(details):
    if "calibration" in details:
        yield f"Expected calibration error: {details['calibration']['ece']:.3f}."
    if "temperature" in details:
        t = details["temperature"]
        yield (f"At the temperature fitted to the validation part, {t['temperature']:.2f}, it is {t['ece']:.3f} "
               "(evaluate.calibrated); at 1 there is nothing to correct.")  # fmt: skip
    if "conformal" in details:
        own = details["conformal"]
        halves, held = (", ".join(f"{each:.3g}" for each in own[key]) for key in ("half_width", "held"))
        yield f"Conformal intervals for {own['coverage']:.0%}: answer ± {halves}; they held {held} of the test labels."
