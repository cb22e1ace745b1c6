"""What was found, printed."""

import shlex
from pathlib import Path

from rich import markup
from rich.console import Console
from rich.table import Table

from mmkeras.cli.new.plans import Plan


def show(console: Console, plan: Plan, out: Path) -> None:
    """Prints a row for each column, what else was seen, and what to do next."""
    rows = sum(len(frame) for frame in plan.tables.frames.values())
    table = Table(title=f"{', '.join(plan.tables.names.values())}: {rows:,} rows")
    for title in ("column", "taken as", "what was seen"):
        table.add_column(title, overflow="fold")
    for label in plan.found.labels:
        table.add_row(markup.escape(label.column), f"[bold]label[/bold] ({label.task})", markup.escape(label.why))
    for column in plan.found.columns:
        kind = "[dim]left out[/dim]" if column.kind == "out" else column.kind
        missing = f"; {column.missing:,} rows have none" if column.missing and column.kind != "out" else ""
        table.add_row(markup.escape(column.name), kind, markup.escape(column.why + missing))
    console.print(table)
    for note in plan.found.notes:
        console.print(f"- {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"Written: {out}. Read it, change it, then: python {shlex.quote(str(out))}", markup=False)
