"""The lines of the script that divide the rows: to learn from, to validate after each epoch, to test."""

from mmkeras.cli.new.code import Call, assigned, comment, quoted
from mmkeras.cli.new.plans import Plan
from mmkeras.cli.new.reading import RAW, listed
from mmkeras.specs import as_text


def parts(plan: Plan) -> str:
    """Divides what `reading.examples` has read."""
    column = next((each for each in plan.found.columns if each.kind in ("split", "fold")), None)
    if column is None and len(plan.tables.frames) == 1:
        return _at_random(plan)
    lines, there = ([], {*plan.tables.names}) if column is None else _by_column(plan, column)
    lines += [] if "test" in there else ["raw_test = raw_valid"]
    if not {"valid", "test"} <= there:
        use = "is kept to validate" if plan.sparse else "chooses the best epoch"
        note = f"A tenth of what there is to learn from {use}{_together(plan)}."
        lines += [comment(note), assigned("raw_train, raw_valid", _split(plan, "raw_train", "(0.9, 0.1)"))]
    return "".join(f"{line}\n" for line in lines)


def _at_random(plan):
    use = "validate" if plan.sparse else "choose the best epoch"
    note = f"Eight tenths to learn from, a tenth to {use}, a tenth to test{_together(plan)}."
    split = assigned("raw_train, raw_valid, raw_test", _split(plan, "raw", "(0.8, 0.1, 0.1)"))
    return f"{comment(note)}\n{split}\n"


def _together(plan):
    return f"; rows of one '{plan.found.group}' stay together" if plan.found.group else ""


def _split(plan, raw, fractions):
    group = f"group={quoted(plan.found.group)}" if plan.found.group else None
    return Call("mm.data.split(", raw, fractions, group)


def _by_column(plan, column):
    """(lines, parts that they make)."""
    values = f"raw.frame[{quoted(column.name)}]"
    if column.kind == "fold":
        last = _as_read(plan, column.name, column.facts["last"])
        chosen = f"raw_train, raw_test = raw[fold != {last}], raw[fold == {last}]"
        return [f"fold = {values}", chosen], {"train", "test"}
    there = [part for part in RAW if part in column.facts["parts"].values()]
    return [f"part = {values}", *(f"{RAW[part]} = {_chosen(column, part)}" for part in there)], {*there}


def _as_read(plan, name, text):
    """Code of a value, which is no text in JSON."""
    if plan.tables.kind == "csv":
        return quoted(text)
    return quoted(next(value for value in plan.tables.frames["train"][name] if as_text(value) == text))


def _chosen(column, part):
    words = [word for word, of in column.facts["parts"].items() if of == part]
    return f"raw[part == {quoted(words[0])}]" if len(words) == 1 else f"raw[part.isin({listed(words)})]"
