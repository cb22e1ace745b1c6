from keras import ops

from mmkeras.decoding._base import placed, sayable
from mmkeras.layers.token_decoder import PAD


def token_by_token(decoder, memory, mask, choose):
    """One loop over the tokens of all rows, with cached keys and values; it ends when every row has.

    Args:
        decoder: `layers.TokenDecoder`.
        memory, mask: (B, M, any width) float, (B, M) bool.
        choose: function (logits (B, V), i () int32) -> ids (B,) int32.

    Returns:
        ids (B, L) int32, 0 behind the end.
    """
    ids, readable, caches = decoder.start(memory)

    def go_on(i, ids, done, rows, *caches):
        return ops.logical_and(i < decoder.max_tokens, ops.logical_not(ops.all(done)))

    def step(i, ids, done, rows, *caches):
        logits, caches = decoder.step(ids, i, caches, readable, mask)
        ids = ops.where(done, PAD, choose(sayable(logits), i))
        return i + 1, ids, ops.logical_or(done, ops.equal(ids, decoder.end)), placed(rows, i, ids), *caches

    done = ops.zeros_like(ids, "bool")
    rows = ops.zeros((ops.shape(ids)[0], decoder.max_tokens), "int32")
    return ops.while_loop(go_on, step, (ops.convert_to_tensor(0, "int32"), ids, done, rows, *caches))[3]
