import keras

from mmkeras.layers import GuardEmpty


def grus(x, mask, units, num_layers, bidirectional, dropout, whole=True):
    """GRUs on top of each other over the real tokens: (B, T, D) -> (B, T, units), twice that where bidirectional.

    Args:
        x: tokens (B, T, D).
        mask: (B, T) bool.
        units, num_layers, bidirectional: of the GRUs.
        dropout: share of each GRU's output that is dropped while training.
        whole: the states of all tokens; otherwise the last one alone, (B, units).
    """
    readable = GuardEmpty(name="readable")(mask) if num_layers else mask
    for i in range(num_layers):
        gru = keras.layers.GRU(units, return_sequences=whole or i < num_layers - 1, name=f"gru_{i}")
        x = (keras.layers.Bidirectional(gru, name=f"bigru_{i}") if bidirectional else gru)(x, mask=readable)
        x = keras.layers.Dropout(dropout, name=f"gru_dropout_{i}")(x) if dropout else x
    return x
