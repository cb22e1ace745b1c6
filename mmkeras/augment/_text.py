"""Token dropout."""

import tensorflow as tf

from mmkeras.augment.steps import Augmentation, check_range, check_spec
from mmkeras.specs import Text

_UNKNOWN = 1


def text(spec: Text, *, drop: float = 0.1, remove: bool = False) -> Augmentation:
    """Token dropout: drops each token with a given probability.

    By default a dropped token is replaced by the unknown token, which also occurs in production: positions do not
    change, and the embedding of the unknown token is trained even if the vocabulary covers all training texts. With
    `remove=True` the token is removed and the rest moves up: prefer it for models that ignore the order.

    Masking: padding stays padding. At least one token of each text is kept.

    Args:
        spec: `mm.Text`.
        drop: probability in [0, 1].
        remove: whether to remove the tokens instead of replacing them.

    Returns:
        Function (ready, labels, seed) -> (ready, labels).

    Example:

    >>> import mmkeras as mm
    >>> ready = {"title": np.array([[5, 6, 7, 0]], "int32"), "title_mask": np.array([[True, True, True, False]])}
    >>> dropped, _ = text(mm.Text("title"), drop=1.0)(ready, {}, (0, 1))
    >>> sorted(dropped["title"].numpy()[0].tolist())[:3]
    [0, 1, 1]

    Source: replacing: Bowman et al., Generating Sentences from a Continuous Space, arXiv 1511.06349, section 3;
    removing: Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods, ACL 2015, section 3.1.
    """
    check_spec(spec, "Text")
    check_range("text", 0, 1, drop=drop)
    ids_name, mask_name = spec.ready

    def apply(ready, labels, seed):
        ids, mask = tf.convert_to_tensor(ready[ids_name]), tf.convert_to_tensor(ready[mask_name])
        drawn = tf.where(mask, tf.random.stateless_uniform(tf.shape(ids), seed), -1.0)
        stays = (drawn >= drop) | (drawn == tf.reduce_max(drawn, axis=1, keepdims=True))
        if remove:
            ids, mask = _closed(ids, mask & stays)
        else:
            ids = tf.where(mask & ~stays, tf.constant(_UNKNOWN, ids.dtype), ids)
        return ready | {ids_name: ids, mask_name: mask}, labels

    return apply


def _closed(ids, mask):
    """Moves the real tokens to the front, keeping their order."""
    order = tf.argsort(tf.cast(~mask, tf.int32), axis=1, stable=True)
    mask = tf.gather(mask, order, batch_dims=1)
    return tf.where(mask, tf.gather(ids, order, batch_dims=1), 0), mask
