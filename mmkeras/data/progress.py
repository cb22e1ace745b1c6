"""A progress bar that only appears for slow steps."""

import time

from rich.errors import LiveError
from rich.progress import Progress

_QUICK, _REFRESH = 1.0, 0.1  # seconds: delay before a bar appears, and interval of its updates


def shown_if_slow(items, description, total=None, verbose=True):
    """Gives the items one by one; a bar appears when that has taken more than a second, and none within another bar.

    Args:
        items: iterable.
        description: what the bar is called.
        total: how many items there are, where that is known.
        verbose: False never shows one.

    Example:

    >>> list(shown_if_slow("ab", "Reading letters", total=2))
    ['a', 'b']
    """
    if not verbose:
        yield from items
        return
    bar, shown = None, time.monotonic() + _QUICK - _REFRESH
    try:
        for done, item in enumerate(items):
            yield item
            if time.monotonic() - shown > _REFRESH:
                bar = bar or _started(description, total)
                bar.update(bar.task_ids[0], completed=done + 1)
                shown = time.monotonic()
    finally:
        if bar:
            bar.stop()


def _started(description, total):
    bar = Progress()
    bar.add_task(description, total=total)
    try:
        bar.start()
    except LiveError:  # another live display is active
        bar.disable = True
    return bar
