"""Decodes the output of a transcription head: the text of the logits of all time steps."""

import collections

import numpy as np

MEANING = "logits of each time step, the blank first; preprocess.json has the pieces of text of the other units"
_LEAST_LOG_PROBABILITY = -15.0  # log-probability below which a unit does not start a new hypothesis


def is_described(head):
    """Whether a dict describes a transcription head: `pieces`, `beams` and `allowed`."""
    pieces, beams = head.get("pieces"), head.get("beams")
    named = isinstance(pieces, list) and len(pieces) > 1 and all(isinstance(piece, str) for piece in pieces)
    return (
        named and type(beams) is int and beams > 0 and ("allowed" not in head or _is_allowed(head["allowed"], pieces))
    )


def _is_allowed(allowed, pieces):
    """Whether it is a graph of nodes with one unit each, as in `mmkeras.decoding.Automaton`."""
    if not isinstance(allowed, dict) or set(allowed) != {"units", "before", "begins", "ends"}:
        return False
    try:
        units, before, begins, ends = (np.array(allowed[key]) for key in ("units", "before", "begins", "ends"))
    except ValueError:  # rows of different lengths
        return False
    n = len(units) if units.ndim == 1 else 0
    whole = n and units.dtype.kind == before.dtype.kind == "i" and begins.dtype == ends.dtype == bool
    shaped = before.ndim == 2 and len(before) == n and begins.shape == ends.shape == (n,)
    return bool(whole and shaped) and _within(units, len(pieces)) and _within(before, n)


def _within(numbers, end):
    return bool(((numbers >= 0) & (numbers < end)).all())


def width(head):
    """Number of outputs at each time step."""
    return len(head["pieces"])


def answers(head, logits):
    """Logits (T, V) -> the text and its log-probability: over all paths if `beams` > 1, else of the best path."""
    shares = log_softmax(np.asarray(logits, "float64"))
    if "allowed" in head:
        ids, score = best_allowed(shares, **{key: np.array(value) for key, value in head["allowed"].items()})
    else:
        ids, score = greedy(shares) if head["beams"] == 1 else beam_search(shares, head["beams"])
    return {head["name"]: spelled(head, ids), f"{head['name']}_score": score}


def spelled(head, ids):
    return "".join(head["pieces"][i] for i in ids).strip(" ")


def log_softmax(logits):
    """Log-probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def greedy(shares):
    """Logs of probabilities (T, V) -> the ids of the best path, and its log-probability.

    >>> greedy(np.log([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]))[0]
    [1]
    """
    best = shares.argmax(-1)
    new = np.concatenate([[True], best[1:] != best[:-1]])
    return best[new & (best > 0)].tolist(), float(shares.max(-1).sum())


def best_allowed(shares, units, before, begins, ends):
    """Logs of probabilities (T, V) -> the ids of the best path through a graph of nodes, and its log-probability.

    Args:
        units: (N,) the unit of each node.
        before: (N, P) the nodes from which it is reached.
        begins, ends: (N,) the nodes of the first and of the last time step.
    """
    row, ways = shares[0, units] + np.where(begins, 0.0, -np.inf), []
    for step in shares[1:]:
        way = row[before].argmax(-1)
        ways.append(before[np.arange(len(units)), way])
        row = row[ways[-1]] + step[units]
    row = row + np.where(ends, 0.0, -np.inf)
    nodes = [int(row.argmax())]
    for way in reversed(ways):
        nodes.append(int(way[nodes[-1]]))
    nodes = nodes[::-1]
    new = [node for node, last in zip(nodes, [-1, *nodes], strict=False) if node != last]
    return [int(units[node]) for node in new if units[node]], float(row.max())


def beam_search(shares, beams):
    """Logs of probabilities (T, V) -> the ids that many paths together make the most probable, and their log.

    At each time step `beams` prefixes are kept, each with the probability of the paths that end in a blank and of those
    that end in its last unit: only after a blank may the same unit follow.

    >>> round(float(np.exp(beam_search(np.log([[0.6, 0.4], [0.6, 0.4]]), 4)[1])), 2)
    0.64
    """
    kept = {(): (0.0, -np.inf)}
    for step in shares:
        found = collections.defaultdict(lambda: [-np.inf, -np.inf])
        likely = [int(unit) for unit in np.flatnonzero(step > _LEAST_LOG_PROBABILITY) if unit]
        for prefix, (blank, unit) in kept.items():
            both, same = np.logaddexp(blank, unit), found[prefix]
            same[0] = np.logaddexp(same[0], both + step[0])
            if prefix:
                same[1] = np.logaddexp(same[1], unit + step[prefix[-1]])
            for more in likely:
                longer = found[(*prefix, more)]
                before = blank if prefix and more == prefix[-1] else both
                longer[1] = np.logaddexp(longer[1], before + step[more])
        ranked = sorted(found.items(), key=lambda item: -np.logaddexp(*item[1]))
        kept = {prefix: tuple(scores) for prefix, scores in ranked[:beams]}
    best = max(kept, key=lambda prefix: np.logaddexp(*kept[prefix]))
    return list(best), float(np.logaddexp(*kept[best]))
