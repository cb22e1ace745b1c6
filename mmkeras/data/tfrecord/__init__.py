"""Raw examples in TFRecord shards.

records   `write_tfrecord`, `from_tfrecord`
shards    the shards as a data set
manifest  the JSON file beside them
"""
