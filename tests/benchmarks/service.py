"""Batches of large JPEGs made by servers, against the same pipeline in this process, as ratios in one run.

    python tests/benchmarks/service.py              # this process beside one and two servers on this machine
    python tests/benchmarks/service.py --pinned     # this process has one core, each server one of the others

A trainer that does nothing but read: preprocessing is the bottleneck. Servers on the trainer's machine share its cores,
so without --pinned they show no more than the price of sending batches. With it, the trainer has one core as if that
were a machine of its own, and servers add theirs. The milliseconds of this process are what is left to the trainer's
machine, and so the limit of what many servers give.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

FILES, N, BATCH, SIDE, READY = 128, 768, 16, 1024, 224
AHEAD, ROUNDS, WARM = 16, 3, 1  # batches that may have been made before an epoch began; epochs of each side


def served(cores):
    """A server, pinned to cores if any are given, and its address."""
    command = [sys.executable, "-m", "mmkeras.data.service", "--port", "0"]
    pinned = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
    server = subprocess.Popen([*pinned, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return server, server.stdout.readline().split()[-1]


def pictures(folder):
    """Raw examples of N JPEGs, large and hard to compress."""
    import numpy as np
    import pandas as pd
    import tensorflow as tf

    import mmkeras as mm

    rng = np.random.default_rng(0)
    for i in range(FILES):
        small = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3))
        pixels = tf.cast(tf.image.resize(small, (SIDE, SIDE), "bicubic"), tf.uint8)
        tf.io.write_file(f"{folder}/{i}.jpg", tf.io.encode_jpeg(pixels))
    frame = pd.DataFrame({"photo": [f"{i % FILES}.jpg" for i in range(N)], "row": range(N)})
    specs, heads = [mm.Image("photo", size=READY)], [mm.heads.regression("row", mean=0, std=1)]
    return mm.data.from_dataframe(frame, specs, heads, root=folder), mm.preprocessor(specs)


def epoch(batches):
    """Seconds, and CPU seconds of this process, for each example of an epoch."""
    iterator = iter(batches)
    for _ in range(AHEAD):
        next(iterator)
    start = time.perf_counter(), time.process_time()
    examples = BATCH * sum(1 for _ in iterator)
    return (time.perf_counter() - start[0]) / examples, (time.process_time() - start[1]) / examples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pinned", action="store_true", help="one core for the trainer and each of the servers")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    servers = [served([cores[1 + i]] if args.pinned else []) for i in range(min(2, len(cores) - args.pinned))]
    if args.pinned:
        os.sched_setaffinity(0, cores[:1])  # before TensorFlow starts its threads
    import mmkeras as mm

    try:
        with tempfile.TemporaryDirectory() as folder:
            raw, preprocess = pictures(folder)
            make = lambda service: mm.data.train_batches(raw, preprocess, batch_size=BATCH, service=service)  # noqa: E731
            addresses = [address for _, address in servers]
            sides = {"this process": make(None)}
            sides |= {f"{n} server(s)": make(addresses[:n]) for n in range(1, len(servers) + 1)}
            compare(sides)
    finally:
        for server, _ in servers:
            server.kill()


def compare(sides):
    """Prints the speed of each side, its median ratio to the first one, in turns, and its CPU time in this process."""
    found = {name: [] for name in sides}
    for i in range(WARM + ROUNDS):
        for name in list(sides) if i % 2 else list(sides)[::-1]:
            found[name].append(epoch(sides[name]))
    first = next(iter(found.values()))
    for name, values in found.items():
        ratio = statistics.median(other / own for (own, _), (other, _) in list(zip(values, first, strict=True))[WARM:])
        seconds, cpu = (statistics.median(column) for column in zip(*values[WARM:], strict=True))
        print(f"{name}: {1 / seconds:.0f} examples/s, ratio {ratio:.2f}; CPU here {1000 * cpu:.1f} ms an example")


if __name__ == "__main__":
    main()
