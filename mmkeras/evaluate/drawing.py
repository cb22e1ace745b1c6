"""Helpers for plots, drawn without pyplot so that no window or global state is left behind."""

from pathlib import Path

COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2",
            "#b279a2", "#9d755d", "#eeca3b", "#ff9da6", "#7f7f7f")  # fmt: skip


def save(figure, out_dir, head, kind):
    """Writes NAME_KIND.png into the folder; returns the name of the file."""
    name = f"{head.name}_{kind}.png"
    figure.savefig(Path(out_dir) / name, dpi=130, bbox_inches="tight", pad_inches=0.12)
    return name


def short(name, most=24):
    """Shortens a text in the middle, because long class names often differ at their end."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"
