import string

import numpy as np

STAGE = "raw"


def typos(values, spec, strength, rng):
    """Each letter or digit is another letter with a chance of `strength`."""

    def mistyped(text):
        letters = list(text)
        for i in np.flatnonzero(rng.random(len(letters)) < strength):
            letters[i] = rng.choice(list(string.ascii_lowercase)) if letters[i].isalnum() else letters[i]
        return "".join(letters)

    return _changed(values, spec, mistyped)


def dropped(values, spec, strength, rng):
    """Each word is left out with a chance of `strength`; one stays."""

    def shortened(text):
        words = text.split()
        kept = [word for word in words if rng.random() >= strength]
        return " ".join(kept or words[:1])

    return _changed(values, spec, shortened)


def _changed(values, spec, change):
    texts = [change(value.decode("utf-8", "replace")).encode() for value in values[spec.name]]
    return values | {spec.name: np.array(texts, object)}


CORRUPTIONS = {"typos": typos, "words dropped": dropped}
