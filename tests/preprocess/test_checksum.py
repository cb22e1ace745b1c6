import zlib

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.preprocess.checksum import crc32

GRAPH = tf.function(crc32, input_signature=[tf.TensorSpec([], tf.string)])


@pytest.mark.parametrize("size", [0, 1, 3, 59, 60, 61, 124, 125, 1000, 64 * 256, 123_457])
def test_it_is_that_of_zlib(size):
    data = np.random.default_rng(size).bytes(size)
    assert crc32(tf.constant(data)) == GRAPH(data) == zlib.crc32(data)
