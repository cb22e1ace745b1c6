"""Raw examples -> batches of ready tensors and labels.

pipeline      `train_batches`, `eval_batches`, `select_inputs`
feeds         where ready batches come from: a table, shards, a stream, a cache
ready         raw rows -> ready tensors, with the faults of single examples named
balance       how often each row is drawn
full          training batches are full
store         the cache in memory or on disk; `cache_folder` is its files
fingerprint   whether a cache still belongs to its examples
"""
