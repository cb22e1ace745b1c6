"""Files that show the answers of a head of texts beside the right texts."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.evaluate.text_scores import alignment, errors

_WORST = 20


def write_texts(head, labels, received, out_dir):
    """Writes NAME_texts.csv, a row for each example, the worst first, and NAME_worst.txt, those word by word.

    Args:
        head: head of texts.
        labels: targets (n, L); examples without a label are left out.
        received: list of n texts.
        out_dir: the folder.

    Returns:
        Names of the files.
    """
    table = pd.DataFrame({"expected": head.references(labels), "received": received})
    table = table[np.asarray(head.labelled(labels))]
    pairs = list(zip(table.received, table.expected, strict=True))
    table["words"] = [len(expected.split()) for _, expected in pairs]
    table["wrong_words"] = [errors(a.split(), b.split()) for a, b in pairs]
    table["wrong_characters"] = [errors(a, b) for a, b in pairs]
    table = table.sort_values(["wrong_words", "wrong_characters"], ascending=False, kind="stable")
    names = [f"{head.name}_texts.csv", f"{head.name}_worst.txt"]
    table.to_csv(Path(out_dir) / names[0], index_label="example")
    worst = table[["received", "expected"]].head(_WORST)
    lines = [_aligned(example, *row) for example, *row in worst.itertuples()]
    (Path(out_dir) / names[1]).write_text("\n".join(lines), encoding="utf-8")
    return names


def _aligned(example, received, expected):
    """The two texts word below word; "-" stands where one has none."""
    pairs = [(a or "-", b or "-") for a, b in alignment(received.split(), expected.split())]
    widths = [max(map(len, pair)) for pair in pairs]
    lines = (
        " ".join(word.ljust(width) for word, width in zip(side, widths, strict=True))
        for side in zip(*pairs, strict=True)
    )
    titles = f"example {example}\nreceived ", "expected "
    return "".join(f"{title}{line.rstrip()}\n" for title, line in zip(titles, lines, strict=False))
