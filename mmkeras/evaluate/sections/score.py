from mmkeras.evaluate import _html as page
from mmkeras.evaluate._bootstrap import bootstrap
from mmkeras.evaluate._report import report
from mmkeras.evaluate.kinds import kind_of


def score(context):
    """Scores of the model and the rows beside it, intervals, and the pictures of each kind of head."""
    found = report(context.model, context.batches(context.test), context.heads, out_dir=context.out_dir,
                   train=context.train, baselines=context.baselines, specs=context.model.specs)  # fmt: skip
    blocks = [page.text("95 % intervals, in brackets, are bootstrapped" + _by_group(context) + ".", "note")]
    details, files = {}, list(found["files"])
    for head in context.heads:
        own, shown = _head(context, head, found, files)
        details[head.name] = own
        blocks += shown
    return found | {"files": files, "details": details}, blocks


def _by_group(context):
    group = context.options.get("group")
    return f", by '{group}'" if group else ""


def _head(context, head, found, files):
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
        keys = list(next(iter(per_class.values())))
        blocks.append(page.table(["class", *keys], [[name, *row.values()] for name, row in per_class.items()]))
    details = {"intervals": intervals}
    kind = kind_of(head.kind)
    if hasattr(kind, "details"):
        own, pictures = kind.details(head, labels, outputs, None, context.out_dir, context.validation(head))
        details |= own
        files += pictures
        blocks += [page.text(line) for line in _lines(own)]
    blocks += [page.picture(context.out_dir / file) for file in files if file.startswith(f"{head.name}_")]
    return details, blocks


def _cell(found, key, intervals):
    text = page.cell(found.get(key))
    ends = intervals.get(key)
    return text if not ends or ends[0] is None else f"{text} ({ends[0]:.3g} to {ends[1]:.3g})"


def _lines(details):
    if "calibration" in details:
        yield f"Expected calibration error: {details['calibration']['ece']:.3f}."
    if "temperature" in details:
        t = details["temperature"]
        yield f"At temperature {t['temperature']:.2f}, of the validation part: {t['ece']:.3f} (evaluate.calibrated)."
    if "conformal" in details:
        own = details["conformal"]
        halves, held = (", ".join(f"{each:.3g}" for each in own[key]) for key in ("half_width", "held"))
        yield f"Conformal intervals for {own['coverage']:.0%}: answer ± {halves}; they held {held} of the test labels."
