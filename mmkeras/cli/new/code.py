"""Lines of Python as `ruff format` leaves them."""

import textwrap

WIDTH = 120
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Call:
    """A call, a list or a dict: on one line if it fits, else with an argument on each.

    Args:
        head: with its opening bracket, "mm.Text(".
        *items: code, or further `Call`s.
    """

    def __init__(self, head, *items):
        self.head, self.items = head, [item for item in items if item]

    def __str__(self):
        return self.head + ", ".join(map(str, self.items)) + _CLOSING[self.head[-1]]

    def render(self, indent=0, before=0, after=0):
        """The code without the indentation of its first line.

        Args:
            indent: of the line on which it begins.
            before, after: characters on the same line.
        """
        flat = str(self)
        if indent + before + len(flat) + after <= WIDTH and "\n" not in flat:
            return flat
        inner = indent + 4
        lines = [item.render(inner, after=1) if isinstance(item, Call) else item for item in self.items]
        body = "".join(f"{' ' * inner}{line},\n" for line in lines)
        return f"{self.head}\n{body}{' ' * indent}{_CLOSING[self.head[-1]]}"


def assigned(name, call, indent=0):
    """`name = call`."""
    return f"{' ' * indent}{name} = {call.render(indent, len(name) + 3)}"


def comment(text, indent=0):
    """A comment of as many lines as it needs."""
    start = f"{' ' * indent}# "
    rest = f"{' ' * indent}#   " if text.startswith("- ") else start
    return textwrap.fill(text, WIDTH, initial_indent=start, subsequent_indent=rest,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def quoted(value):
    """A value as code, texts in double quotes."""
    if not isinstance(value, str):
        return repr(value)
    literal = repr(value)
    return literal if '"' in value else f'"{literal[1:-1]}"' if literal.startswith("'") else literal
