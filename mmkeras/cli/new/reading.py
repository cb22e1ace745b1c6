"""The lines of the script that read the table."""

from mmkeras.cli.new.code import WIDTH, Call, assigned, comment, quoted
from mmkeras.cli.new.plans import Plan


def needs_frame(plan: Plan) -> bool:
    """Whether the table is read by pandas first: to change a column, to leave rows out, or for many classes."""
    changed = (plan.tables.kind != "csv" and _absent(plan)) or _made(plan) or _lower(plan)
    return plan.tables.kind == "json" or _lacks_labels(plan) or bool(changed) or bool(_long(plan))


def _absent(plan):
    """Column of numbers or texts -> words that stand for none."""
    return {
        each.name: each.facts["absent"] for each in plan.found.columns if each.is_input and each.facts.get("absent")
    }


def _lower(plan):
    """Labels that are told apart in lower case only."""
    return [label.column for label in plan.found.labels if label.lower]


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
    every = f"{'pd.concat(frames)' if _several(plan) else 'frame'}[{quoted(label.column)}]"
    if label.lists:
        return f"sorted(set({every}.explode().dropna()))"
    if label.task == "multi-label":
        return f'sorted(set({every}.dropna().str.split("|").explode().str.strip()))'
    return f"sorted(set({every}{'.dropna()' if label.missing else ''}))"


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
        made = Call("pd.read_json(", table, "dtype=False", "convert_dates=False")
        return made if not names else Call(f"{made}.set_axis(", listed(names), "axis=1")
    return Call("pd.read_csv(", table, *_options(plan), 'na_values=[""]', "dtype=str", "keep_default_na=False")


def _path(plan, name):
    return f"data / {quoted(name)}"


def listed(names: list[str]) -> str:
    """Code of a list of texts."""
    return "[" + ", ".join(map(quoted, names)) + "]"


def _options(plan):
    """What `from_csv` and `pandas.read_csv` have to be told."""
    options = [f"{key}={listed(value) if isinstance(value, list) else quoted(value)}"
               for key, value in plan.tables.options.items()]  # fmt: skip
    if _absent(plan) and not needs_frame(plan):
        absent = [f"{quoted(name)}: {listed(['', *words])}" for name, words in _absent(plan).items()]
        options.append("na_values={" + ", ".join(absent) + "}")
    return options


def _steps(plan, indent):
    lines = []
    if _lacks_labels(plan):
        labels = listed([label.column for label in plan.found.labels])
        lines.append(f'frame = frame.dropna(subset={labels}, how="all")  # rows without a label')
    for name in _lower(plan):
        text = f"frame[{quoted(name)}]" + _as_text(plan)
        lines.append(f"frame[{quoted(name)}] = {text}.str.strip().str.lower()  # one class, however it is spelled")
    for name, words in _absent(plan).items():
        column = f"frame[{quoted(name)}]"
        lines.append(f"{column} = {column}.mask({column}.isin({listed(words)}))")
    for each in _made(plan):
        lines.append(f"frame[{quoted(each.name)}] = {_name_of_file(plan, each.facts['made'])}")
    return [" " * indent + line for line in lines]


def _name_of_file(plan, made):
    parts = []
    for literal, field in made.parts:
        parts += [quoted(literal)] if literal else []
        parts += [f"frame[{quoted(field)}]{_as_text(plan)}"] if field is not None else []
    return " + ".join(parts)


def _as_text(plan):
    """What makes texts of a column, whose values may be numbers in JSON."""
    return "" if plan.tables.kind == "csv" else '.astype("string")'


def examples(plan: Plan) -> str:
    """Reads raw examples of each table."""
    several, of_frame = _several(plan), needs_frame(plan)
    note = "Texts, numbers and paths; files are opened when they are needed."
    lines = ["", comment(note)]
    if several:
        lines += _several_tables(plan, of_frame)
    else:
        lines.append(assigned("raw", _raw(plan, "frame" if of_frame else _path(plan, plan.tables.names["train"]))))
    return "\n".join([*lines, ""])


def _several_tables(plan, of_frame):
    return [assigned(RAW[part], _raw(plan, f"frames[{i}]" if of_frame else _path(plan, name), part))
            for i, (part, name) in enumerate(plan.tables.names.items())]  # fmt: skip


RAW = {"train": "raw_train", "valid": "raw_valid", "test": "raw_test"}


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
    read = [each for each in plan.found.columns if each.is_input and each not in _made(plan)]
    columns = {plan.names[each.name]: _column_of(each) for each in read}
    columns |= {plan.names[label.column]: label.column for label in plan.found.labels}
    pairs = [f"{quoted(name)}: {quoted(own)}" for name, own in columns.items() if name != own]
    return Call("columns={", *pairs) if pairs else None


def _column_of(column):
    made = column.facts.get("made")
    return column.name if made is None else made.fields[0]


def _skip(plan):
    lost = any(each.facts.get("lost") for each in plan.found.columns if each.is_input)
    return 'on_error="skip"' if lost else None
