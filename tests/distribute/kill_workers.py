"""Kills a random one of several workers at a random moment, starts all of them again, and compares what they end with.

    python tests/distribute/kill_workers.py [--runs 10] [--workers 2] [--seed 0]

Wanted: every run ends with the weights of a run that nobody interrupted. Each takes two to three minutes on two busy
cores.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS, ROWS = 12, 960


def train(out):
    """One worker's training; its weights go to OUT/weights-WORKER.npz."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np
    import pandas as pd

    import mmkeras as mm

    strategy = mm.distribute.strategy()
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"note": rng.choice(["good day", "bad day", "a day"], ROWS), "size": rng.normal(size=ROWS)})
    frame["kind"] = np.where(frame["size"] + frame["note"].eq("good day") > 0.3, "yes", "no")
    specs = [mm.Text("note", max_tokens=4), mm.Table("facts", numeric=["size"])]
    raw = mm.data.from_dataframe(frame, specs, [mm.heads.classification("kind", classes=["no", "yes"])])
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    note, facts = preprocess.specs
    batches = mm.data.train_batches(raw, preprocess, batch_size=16, cache=out / "cache", verbose=False)
    keras.utils.set_random_seed(1)
    with strategy.scope():
        branches = {
            "note": mm.branches.text.lstm(note, units=8, embed_dim=8),  # with dropout
            "facts": mm.branches.table.mlp(facts, units=(8,)),
        }
        model = mm.fusion_model(preprocess.specs, branches, mm.fusion.Concatenate(8), raw.heads)
        model.compile("adam", **mm.heads.compile_for(raw.heads))
    callbacks = mm.train.callbacks(out / "run", batches, monitor="loss", patience=None)
    model.fit(batches, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    weights = [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]
    np.savez(out / f"weights-{mm.distribute.cluster().worker}.npz", *weights)


def started(out, workers):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    processes = []
    for i in range(workers):
        told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}}
        environment = os.environ | {"TF_CONFIG": json.dumps(told), "CUDA_VISIBLE_DEVICES": "-1"}
        with open(out / f"worker-{i}.log", "a") as log:
            command = [sys.executable, __file__, "--train", str(out)]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
    return processes


def finished(out, workers):
    """Starts the workers and waits for them; seconds that they took."""
    start, processes = time.monotonic(), started(out, workers)
    try:
        codes = [process.wait(600) for process in processes]
    finally:
        for process in processes:
            process.kill()
    if any(codes):
        raise SystemExit("\n".join(path.read_text()[-3000:] for path in sorted(out.glob("*.log"))))
    return time.monotonic() - start


def killed(out, workers, after, rng):
    """Starts the workers and kills one of them, and as a supervisor does, then the others; the epochs saved by then."""
    processes = started(out, workers)
    time.sleep(after)
    victim = rng.randrange(workers)
    for process in [processes[victim], *processes]:
        process.send_signal(signal.SIGKILL)
        process.wait()
    import numpy as np

    path = out / "run" / "resume.npz"
    epochs = json.loads(str(np.load(path)["meta"]))["epoch"] if path.exists() else 0
    return victim, epochs


def differences(first, second, workers):
    """The largest difference between the weights of any worker of two runs."""
    import numpy as np

    def weights(out, i):
        with np.load(out / f"weights-{i}.npz") as arrays:
            return [arrays[name].astype("float64") for name in arrays.files]

    expected = weights(first, 0)
    found = [weights(out, i) for out in (first, second) for i in range(workers)]
    return max(np.abs(a - b).max() for each in found for a, b in zip(each, expected, strict=True))


def main(args):
    rng, right = random.Random(args.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        whole.mkdir()
        seconds = finished(whole, args.workers)
        print(f"Uninterrupted: {EPOCHS} epochs of {args.workers} workers in {seconds:.0f} s", flush=True)
        for run in range(args.runs):
            out = Path(folder, f"run-{run}")
            out.mkdir()
            after = rng.uniform(0.2, 1.0) * seconds
            victim, epochs = killed(out, args.workers, after, rng)
            again = finished(out, args.workers)
            apart = differences(whole, out, args.workers)
            right += apart == 0
            event = f"worker {victim} killed after {after:.1f} s, with {epochs} epochs saved"
            print(f"{run}: {event}; all again: {again:.0f} s; largest difference {apart:.1e}", flush=True)
    print(f"{right} of {args.runs} runs ended with the weights of the uninterrupted one")
    return right != args.runs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(train(options.train) if options.train else main(options))
