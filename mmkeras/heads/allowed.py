"""Texts that a transcription may be: a lexicon of them, or a grammar of places."""

from mmkeras.checks import check
from mmkeras.decoding import Automaton
from mmkeras.heads.units import UNKNOWN, normalised


def check_allowed(head):
    """Normalises `lexicon` and `grammar` of a head to tuples; raises ValueError if they allow nothing."""
    both = head.lexicon is not None and head.grammar is not None
    rule = f"Head '{head.name}' takes lexicon= or grammar=, and then one beam."
    received = f"lexicon={head.lexicon is not None}, grammar={head.grammar is not None}, beams={head.beams}"
    constrained = head.lexicon is not None or head.grammar is not None
    check(not both and not (constrained and head.beams > 1), rule, received, "Leave the others out.")
    if head.lexicon is not None:
        _set(head, "lexicon", _texts(head, "lexicon", head.lexicon))
    if head.grammar is not None:
        rule = f"grammar of '{head.name}' must hold places, each a list of what may stand there."
        lists = all(isinstance(place, list | tuple) for place in head.grammar)
        check(head.grammar and lists, rule, f"{head.grammar!r:.200}", 'Write [["bin", "set"], ["red"]].')
        _set(head, "grammar", tuple(_texts(head, "grammar", place) for place in head.grammar))


def _set(head, field, value):
    object.__setattr__(head, field, value)


def _texts(head, field, values):
    rule = f"{field} of '{head.name}' must be a list of texts, none of them empty."
    texts = () if isinstance(values, str) else tuple(normalised(value, head.lowercase) for value in values)
    check(texts and all(texts), rule, f"{values!r:.200}", "Give each text that may be answered.")
    return tuple(dict.fromkeys(texts))


def allowed(head):
    """The `Automaton` of what a head may answer, None where that is anything.

    Raises:
        ValueError: the vocabulary does not hold a unit of a text, or has not been learned yet.
    """
    if head.lexicon is not None:
        return Automaton.of_sequences([_ids(head, text) for text in head.lexicon])
    if head.grammar is None:
        return None
    between = head.coding.ids(" ") if head.units == "characters" else []
    places = [[_ids(head, text) for text in place] for place in head.grammar]
    return Automaton.of_places([places[0], *([[*between, *ids] for ids in place] for place in places[1:])])


def _ids(head, text):
    ids = head.coding.ids(text)
    rule = f"Head '{head.name}' can only be held to texts that its vocabulary spells."
    check(UNKNOWN not in ids, rule, f"{text!r}", "Add its units to the vocabulary, or drop the text.")
    return ids
