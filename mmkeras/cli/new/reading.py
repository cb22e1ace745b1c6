"""The lines of the script that read the table and divide it."""

from mmkeras.cli.new.code import WIDTH, Call, assigned, comment, quoted
from mmkeras.cli.new.plans import Plan


def needs_frame(plan: Plan) -> bool:
    """Whether the table is read by pandas first: to make a column, to leave rows out, or for a long list of classes."""
    absent = plan.tables.kind != "csv" and any(each.facts.get("absent") for each in plan.found.columns)
    return plan.tables.kind == "json" or _lacks_labels(plan) or absent or bool(_made(plan)) or bool(_long(plan))


def _lacks_labels(plan):
    """Whether rows have no label at all; of several classes, none is an answer, too."""
    labels = [label.column for label in plan.found.labels]
    several = any(label.task == "multi-label" for label in plan.found.labels)
    return not several and bool(plan.tables.frame[labels].isna().all(axis=1).any())


def _long(plan):
    """Labels whose classes do not fit on a line."""
    return [label for label in plan.found.labels if len(_literal(label)) > WIDTH - 44]


def _literal(label):
    return "[" + ", ".join(map(quoted, label.classes)) + "]"


def classes(plan: Plan, label) -> str:
    """Code of the classes of a label."""
    if label not in _long(plan):
        return _literal(label)
    column = f"[{quoted(label.column)}]"
    if label.task == "multi-label":
        every = f"frame{column}" if not _several(plan) else f"pd.concat(frames){column}"
        return f'sorted(set({every}.dropna().str.split("|").explode()))'
    every = f"frame{column}" if not _several(plan) else f"pd.concat(frames){column}"
    return f"sorted(set({every}.dropna()))" if len(plan.found.labels) > 1 else f"sorted(set({every}))"


def _several(plan):
    return len(plan.tables.frames) > 1


def _made(plan):
    """Columns of files whose names are made of several others, or of a part and others."""
    made = [each for each in plan.found.columns if each.is_input and each.facts.get("made")]
    return [each for each in made if each.facts["made"].template != f"{{{each.facts['made'].fields[0]}}}"]


def frames(plan: Plan) -> str:
    """Reads the tables by pandas; empty where the package does so."""
    if not needs_frame(plan):
        return ""
    several = _several(plan)
    lines = ["", "def read(path):"] if several else ["# The table."]
    indent = 4 * several
    lines += [assigned("frame", _pandas(plan), indent), *_steps(plan, indent)]
    if several:
        files = [_path(plan, name) for name in plan.tables.names.values()]
        lines += ["    return frame", "", "", assigned("frames", Call("[", *(f"read({each})" for each in files)))]
    return "\n".join(lines) + "\n"


def _pandas(plan):
    table = "path" if _several(plan) else _path(plan, plan.tables.names["train"])
    if plan.tables.kind == "jsonl":
        return Call("pd.read_json(", table, "lines=True", "dtype=False", "convert_dates=False")
    if plan.tables.kind == "json":
        names = plan.tables.columns
        made = f"pd.read_json({table}, dtype=False, convert_dates=False)"
        return made if not names else Call(f"{made}.set_axis(", _list(names), "axis=1")
    return Call("pd.read_csv(", table, *_options(plan), 'na_values=[""]', "dtype=str", "keep_default_na=False")


def _path(plan, name):
    return f"data / {quoted(name)}"


def _list(names):
    return "[" + ", ".join(map(quoted, names)) + "]"


def _options(plan):
    """What `from_csv` and `pandas.read_csv` have to be told."""
    options = [f"{key}={_list(value) if isinstance(value, list) else quoted(value)}"
               for key, value in plan.tables.options.items()]  # fmt: skip
    absent = {each.name: ["", *each.facts["absent"]] for each in plan.found.columns if each.facts.get("absent")}
    if absent and not needs_frame(plan):
        options.append("na_values={" + ", ".join(f"{quoted(k)}: {_list(v)}" for k, v in absent.items()) + "}")
    return options


def _steps(plan, indent):
    lines = []
    if _lacks_labels(plan):
        labels = _list([label.column for label in plan.found.labels])
        lines.append(f'frame = frame.dropna(subset={labels}, how="all")  # rows without a label')
    for each in plan.found.columns:
        if each.facts.get("absent"):
            column = f"frame[{quoted(each.name)}]"
            lines.append(f"{column} = {column}.mask({column}.isin({_list(each.facts['absent'])}))")
    for each in _made(plan):
        lines.append(f"frame[{quoted(each.name)}] = {_name_of_file(plan, each.facts['made'])}")
    return [" " * indent + line for line in lines]


def _name_of_file(plan, made):
    text = "" if plan.tables.kind == "csv" else '.astype("string")'
    parts = []
    for literal, field in made.parts:
        parts += [quoted(literal)] if literal else []
        parts += [f"frame[{quoted(field)}]{text}"] if field is not None else []
    return " + ".join(parts)


def examples(plan: Plan) -> str:
    """Reads raw examples, and divides them."""
    several, of_frame = _several(plan), needs_frame(plan)
    told = "Texts, numbers and paths; files are opened when they are needed."
    lines = ["", comment(told)]
    if several:
        lines += _several_tables(plan, of_frame)
    else:
        lines.append(assigned("raw", _raw(plan, "frame" if of_frame else _path(plan, plan.tables.names["train"]))))
    return "\n".join([*lines, *_divided(plan), ""])


def _several_tables(plan, of_frame):
    return [assigned(_RAW[part], _raw(plan, f"frames[{i}]" if of_frame else _path(plan, name), part))
            for i, (part, name) in enumerate(plan.tables.names.items())]  # fmt: skip


_RAW = {"train": "raw_train", "valid": "raw_valid", "test": "raw_test"}


def _raw(plan, table, part="train"):
    of_frame = needs_frame(plan)
    reader = "from_dataframe" if of_frame else {"csv": "from_csv", "jsonl": "from_jsonl"}[plan.tables.kind]
    items = [table, "specs", "heads", _root(plan, part), _columns(plan), _skip(plan)]
    return Call(f"mm.data.{reader}(", *items, *([] if of_frame or plan.tables.kind != "csv" else _options(plan)))


def _root(plan, part):
    roots = {plan.names[each.name]: each.facts["roots"][part] for each in plan.found.columns
             if each.is_input and "roots" in each.facts}  # fmt: skip
    if not roots or (set(roots.values()) == {""} and not needs_frame(plan)):
        return None
    if len(set(roots.values())) == 1:
        return f"root={_place(next(iter(roots.values())))}"
    return Call("root={", *(f"{quoted(name)}: {_place(root)}" for name, root in roots.items()))


def _place(root):
    return f"data / {quoted(root)}" if root else "data"


def _columns(plan):
    """Names of inputs and labels whose columns are called otherwise."""
    made = {each.name for each in _made(plan)}
    pairs = {}
    for column in [*plan.found.columns, *plan.found.labels]:
        own = getattr(column, "column", None) or column.name
        name = plan.names.get(own)
        if name is None or own in made or (hasattr(column, "is_input") and not column.is_input):
            continue
        of = column.facts["made"].fields[0] if hasattr(column, "facts") and column.facts.get("made") else own
        if name != of:
            pairs[name] = of
    return Call("columns={", *(f"{quoted(name)}: {quoted(own)}" for name, own in pairs.items())) if pairs else None


def _skip(plan):
    lost = any(each.facts.get("lost") for each in plan.found.columns if each.is_input)
    return 'on_error="skip"' if lost else None


def _divided(plan):
    found = next((each for each in plan.found.columns if each.kind in ("split", "fold")), None)
    group = f"group={quoted(plan.found.group)}" if plan.found.group else None
    if found is None and not _several(plan):
        told = f"rows of one '{plan.found.group}' stay together" if group else "seed= draws other ones"
        return [comment(f"Eight tenths to learn from, a tenth to choose the best epoch, a tenth to test; {told}."),
                assigned("raw_train, raw_valid, raw_test", _split("raw", "(0.8, 0.1, 0.1)", group))]  # fmt: skip
    lines, there = [], set(plan.tables.names)
    if found is not None and not _several(plan):
        lines, there = _by_column(found)
    if "test" not in there:
        lines.append("raw_test = raw_valid")
    if not {"valid", "test"} <= there:
        told = "A tenth of what there is to learn from chooses the best epoch"
        lines += [comment(f"{told}; rows of one '{plan.found.group}' stay together." if group else f"{told}."),
                  assigned("raw_train, raw_valid", _split("raw_train", "(0.9, 0.1)", group))]  # fmt: skip
    return lines


def _split(raw, fractions, group):
    return Call("mm.data.split(", raw, fractions, group)


def _by_column(found):
    column = f"raw.frame[{quoted(found.name)}]"
    if found.kind == "fold":
        last = quoted(found.facts["last"])
        return [f"fold = {column}", f"raw_train, raw_test = raw[fold != {last}], raw[fold == {last}]"], {
            "train",
            "test",
        }
    there = list(dict.fromkeys(part for part in _RAW if part in found.facts["parts"].values()))
    lines = [f"part = {column}"] + [f"{_RAW[part]} = {_chosen(found, part)}" for part in there]
    return lines, set(there)


def _chosen(found, part):
    words = [word for word, of in found.facts["parts"].items() if of == part]
    return f"raw[part == {quoted(words[0])}]" if len(words) == 1 else f"raw[part.isin({_list(words)})]"
