"""The log of a run, as a table and as curves."""

import csv
from os import PathLike
from pathlib import Path

import keras
import numpy as np

from mmkeras.train.saving import whole, whole_epochs


class Log(keras.callbacks.CSVLogger):
    """`CSVLogger` that continues after the last completed epoch: rows of epochs that will be repeated are removed."""

    def __init__(self, run_dir: str | PathLike[str]) -> None:
        self.run_dir = Path(run_dir).expanduser()
        super().__init__(str(self.run_dir / "log.csv"), append=True)

    def on_train_begin(self, logs=None):
        epochs = whole_epochs(self.run_dir)
        if Path(self.filename).exists():
            head, *rows = Path(self.filename).read_text().splitlines(keepends=True) or [""]
            # A killed run can leave a partial row, or only the header if it never completed an epoch.
            kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) < epochs]
            with whole(self.filename) as file:
                file.write("".join([head, *kept] if kept else []).encode())
        self.append_header = True
        super().on_train_begin(logs)


class Curves(keras.callbacks.Callback):
    """Draws `log.csv` as `curves.png` at the end of each epoch."""

    def __init__(self, run_dir: str | PathLike[str], *, monitor: str = "val_loss", mode: str = "min") -> None:
        super().__init__()
        self.run_dir, self.monitor, self.mode = Path(run_dir).expanduser(), monitor, mode

    def on_epoch_end(self, epoch, logs=None):
        draw_log(self.run_dir / "log.csv", self.run_dir / "curves.png", monitor=self.monitor, mode=self.mode)


def draw_log(
    log: str | PathLike[str], png: str | PathLike[str], *, monitor: str = "val_loss", mode: str = "min"
) -> None:
    """Plots a `log.csv` of `Log`: training and validation of each metric in one panel; a ring marks the best epoch.

    Args:
        log: path of the CSV file.
        png: path of the picture, which is written atomically.
        monitor: the column whose best epoch is marked.
        mode: "min" or "max".
    """
    from matplotlib.figure import Figure

    columns = read_log(log)
    names = sorted({name.removeprefix("val_") for name in columns} - {"epoch"}, key=_place)
    width = min(len(names), 3)
    height = -(-len(names) // width)
    figure = Figure(figsize=(4.4 * width, 3.3 * height), layout="constrained")
    panels = figure.subplots(height, width, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        _panel(axes, columns, name)
        if name == monitor.removeprefix("val_") and np.isfinite(columns.get(monitor, [np.nan])).any():
            best = (np.nanargmin if mode == "min" else np.nanargmax)(columns[monitor])
            axes.plot(columns["epoch"][best] + 1, columns[monitor][best], "o", ms=11, mfc="none", mec="#333333",
                      label=f"best: {columns[monitor][best]:.4g}, epoch {columns['epoch'][best] + 1:.0f}")  # fmt: skip
        if name != "learning_rate":
            axes.legend(frameon=False, fontsize=8)
    for axes in panels[len(names) :]:
        axes.remove()
    with whole(png) as file:
        figure.savefig(file, dpi=110)


def _place(name):
    return (name != "loss", name == "learning_rate", name)


def _panel(axes, columns, name):
    for column, label, colour in ((name, "training", "#4c78a8"), (f"val_{name}", "validation", "#e4572e")):
        if np.isfinite(columns.get(column, [np.nan])).any():
            axes.plot(columns["epoch"] + 1, columns[column], ".-", color=colour, label=label)
    axes.set(title=name.replace("_", " "), xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def read_log(log):
    """Columns of the CSV file, name -> float64 (n,), NaN for values that are not numbers."""
    with open(log, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([_number(row[name]) for row in rows]) for name in (rows[0] if rows else ())}


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return np.nan
