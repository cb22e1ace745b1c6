"""When do several machines pay? The price of a step of two workers, measured here, and a table for other networks.

    python tests/benchmarks/cluster.py              # the table, with the price measured before
    python tests/benchmarks/cluster.py --measure    # two workers, pinned to a core each, beside one of them alone

A step of W workers takes compute + price + 2 (W - 1) (latency + bytes / W / bandwidth): gradients are summed around a
ring, in 2 (W - 1) messages of a W-th of them. The price is what TensorFlow's collectives cost beyond the network. Each
worker has a batch of its own, so W workers are W compute / step times as fast as one.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

PRICE = 0.009  # seconds; 8 to 10 ms of CPU per step were measured with a million weights
NETWORKS = {"1 Gbit/s": (1e9 / 8, 1e-4), "10 Gbit/s": (1e10 / 8, 5e-5), "100 Gbit/s": (1e11 / 8, 2e-5)}
WIDTH, STEPS, ROUNDS = 1024, 30, 3


def step(compute, weights, workers, network, price=PRICE):
    """Seconds of a step of several workers, with float32 gradients."""
    bandwidth, latency = NETWORKS[network]
    return compute + price + 2 * (workers - 1) * (latency + 4 * weights / workers / bandwidth)


def pays_from(weights, workers, network, price=PRICE, efficiency=0.75):
    """Seconds of compute per step from which W workers are at least `efficiency` * W times as fast as one."""
    return efficiency / (1 - efficiency) * step(0.0, weights, workers, network, price)


def show(price):
    from rich.console import Console
    from rich.table import Table

    columns = [(network, workers) for network in NETWORKS for workers in (2, 4, 8)]
    table = Table("weights", *(f"{network}, {workers}" for network, workers in columns))
    for weights in (1e6, 5e6, 25e6, 100e6):
        found = (pays_from(weights, workers, network, price) for network, workers in columns)
        table.add_row(f"{weights / 1e6:.0f} M", *(f"{1000 * seconds:,.0f}" for seconds in found))
    table.title = "ms of compute per step from which W workers are 0.75 W times as fast as one; network, workers"
    Console(width=160).print(table)


def work():
    """One of two workers; the first one prints the medians of its steps, alone and with the other one, in turns."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np
    import tensorflow as tf

    import mmkeras as mm

    strategy, here = mm.distribute.strategy(), mm.distribute.cluster()

    def model():
        x = keras.Input((WIDTH,))
        made = keras.Model(x, keras.layers.Dense(WIDTH)(x))
        made.compile("sgd", "mse")
        return made

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.at = []

        def on_train_batch_end(self, batch, logs=None):
            self.at.append((time.perf_counter(), time.process_time()))

    def steps(trained, rows):
        one = np.zeros((rows, WIDTH), "float32")
        batches = tf.data.Dataset.from_tensors((one, one)).repeat(STEPS)
        batches.of_worker = lambda worker, workers, replicas: batches
        clock = Clock()
        trained.fit(batches, verbose=0, callbacks=[clock])
        return np.diff(np.array(clock.at[3:]), axis=0)

    def medians(measured):
        return [float(median) for median in np.median(np.concatenate(measured), axis=0)]

    with strategy.scope():
        both = model()
    alone = model()
    rows, found = 256, {}
    for wanted in (0.005, 0.02, 0.1):
        if here.is_chief:
            for _ in range(2):
                rows = max(1, round(rows * wanted / medians([steps(alone, rows)])[0]))
        rows = int(strategy.gather(strategy.run(lambda rows=rows: tf.constant([rows])), 0)[0])
        steps(both, rows)  # traces it
        single, double = [], []
        for _ in range(ROUNDS):
            single += [steps(alone, rows)] if here.is_chief else []
            double.append(steps(both, rows))
        if here.is_chief:
            found[wanted] = medians(single) + medians(double)
    if here.is_chief:
        print(json.dumps(found))


def measure():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    workers = []
    for i, core in zip(range(2), sorted(os.sched_getaffinity(0)), strict=False):
        told = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}})
        command = ["taskset", "-c", str(core), sys.executable, __file__, "--work"]
        environment = os.environ | {"TF_CONFIG": told, "CUDA_VISIBLE_DEVICES": "-1"}
        workers.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    said, _ = [worker.communicate()[0] for worker in workers]
    prices = []
    for wanted, (one, one_cpu, two, two_cpu) in json.loads(said.splitlines()[-1]).items():
        prices.append(two_cpu - one_cpu)
        print(f"{1000 * float(wanted):.0f} ms: alone {1000 * one:.1f} ms, two workers {1000 * two:.1f} ms, "
              f"{2 * one / two:.2f} times the examples per second; {1000 * prices[-1]:.1f} ms more CPU")  # fmt: skip
    print(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return statistics.median(prices)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work()
    else:
        show(measure() if options.measure else PRICE)
