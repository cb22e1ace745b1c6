"""One HTML file that holds all it shows: no script, no font, nothing from a network."""

import base64
import html
from pathlib import Path

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --pale: #5f6c7b; --line: #dde3ea; --ground: #f5f7fa; --mark: #2b6cb0; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--ground); font: 16px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .5rem 0; max-width: 48rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0 1.25rem; }
a { color: var(--mark); }
section { background: #fff; border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem;
  margin: 0 0 1.25rem; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .75rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 7rem; overflow-wrap: anywhere; }
th { color: var(--pale); font-weight: 600; vertical-align: bottom; }
img { max-width: 100%; height: auto; }
figure { margin: .75rem 1rem .75rem 0; display: inline-block; vertical-align: top; max-width: 100%; overflow-x: auto; }
figure.half { width: min(100%, 31rem); margin-right: .5rem; }
.note { color: var(--pale); }
.failed { border-left: 4px solid #c2413b; padding-left: .75rem; overflow-wrap: anywhere; }
.verdict { border-left: 4px solid var(--mark); padding-left: .75rem; font-weight: 600; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .75rem; }
.card { border: 1px solid var(--line); border-radius: .375rem; padding: .625rem; font-size: .875rem; min-width: 0;
  overflow-wrap: anywhere; }
.card img { width: 100%; max-height: 10rem; object-fit: contain; object-position: left; image-rendering: auto; }
.card audio { width: 100%; }
.card p { margin: .25rem 0; }
@media (max-width: 40rem) {
  main { padding: .625rem; } section { padding: .75rem; } h1 { font-size: 1.3rem; }
  figure.wide img { max-width: none; width: max(100%, min(48rem, var(--width))); }
  figure { margin-right: 0; }
}
@media print { section { break-inside: avoid; border: 0; } nav { display: none; } }
"""


def page(title, subtitle, sections):
    """The whole file.

    Args:
        title, subtitle: texts.
        sections: list of (id, title, list of HTML blocks).

    Example:

    >>> page("A", "b", [("one", "One", [text("x < y")])]).count("<section")
    1
    """
    links = "".join(f'<a href="#{each}">{html.escape(name)}</a>' for each, name, _ in sections)
    parts = "".join(
        f'<section id="{each}"><h2>{html.escape(name)}</h2>{"".join(blocks)}</section>'
        for each, name, blocks in sections
    )
    head = f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    start = f"<h1>{html.escape(title)}</h1>{text(subtitle, 'note')}<nav>{links}</nav>"
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return f'<!doctype html><html lang="en"><head>{meta}{head}</head><body><main>{start}{parts}</main></body></html>\n'


def text(words, style=None):
    """A paragraph.

    Example:

    >>> text("1 < 2")
    '<p>1 &lt; 2</p>'
    """
    return f"<p{_class(style)}>{html.escape(str(words))}</p>"


def heading(words):
    """A heading within a section."""
    return f"<h3>{html.escape(words)}</h3>"


def table(headings, rows):
    """A table, which scrolls by itself where it is wider than the page; None is shown as a dash.

    Example:

    >>> table(["a"], [[0.12345], [None]]).count("<tr>")
    3
    """
    first = "".join(f"<th>{_lines(each)}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{_lines(cell(each))}</td>" for each in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{first}</tr>{body}</table></div>'


def _lines(words):
    return html.escape(words).replace("\n", "<br>")


def cell(value):
    """A value as text, numbers with 4 digits.

    Example:

    >>> [cell(value) for value in (0.123456, 3, None, [0.5, 0.75], "x")]
    ['0.1235', '3', '–', '0.5 to 0.75', 'x']
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, list | tuple):
        return " to ".join(map(cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def picture(path, caption="", style=None):
    """A PNG file, inside the page.

    Args:
        path: of the file.
        caption: what is said where pictures are not shown; "" takes the name of the file.
        style: None; "half", two beside each other; or "wide", scrolls by itself on a narrow screen, where it would
            become too small to read.
    """
    content = Path(path).read_bytes()
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    width = int.from_bytes(content[16:20], "big")  # PNG's header
    caption = html.escape(caption or Path(path).stem)
    return f'<figure{_class(style)} style="--width: {width}px"><img src="{source}" alt="{caption}"></figure>'


def gallery(cards):
    """Cards beside each other; each is a list of HTML blocks."""
    return (
        '<div class="gallery">' + "".join(f'<div class="card">{"".join(blocks)}</div>' for blocks in cards) + "</div>"
    )


def _class(style):
    return f' class="{style}"' if style else ""
