"""Raw examples -> batches of ready tensors and labels.

pipeline        `train_batches`, `eval_batches`, `select_inputs`
checks          of their arguments
feeds           where ready batches come from: a table, shards, a stream, a cache
ready           raw rows -> ready tensors; errors name the example
through_epochs  the batches of all epochs of a `fit`, from one iterator
share           which part of a cache a worker keeps
balance         how often each row is drawn
full            checks that training batches are full
store           the cache in memory or on disk; `cache_folder` is its files, `packed` smaller forms of its arrays
memory          how much of it is free
fingerprint     a digest that tells whether a cache still belongs to its examples
"""
