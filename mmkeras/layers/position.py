import keras


@keras.saving.register_keras_serializable("mmkeras")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector per position, which encodes where in a picture or a clip a token is.

    keras-hub has a layer of this name for text, but importing keras-hub takes seconds.

    Call arguments:
        tokens: (B, T, D) float, T fixed.

    Returns:
        (B, T, D) float.
    """

    def build(self, tokens_shape):
        self.table = self.add_weight(name="table", shape=tuple(tokens_shape[1:]), initializer="uniform")

    def call(self, tokens):
        return tokens + self.table

    def compute_output_shape(self, tokens_shape):
        return tokens_shape
