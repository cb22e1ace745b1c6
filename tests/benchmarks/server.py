"""What does `mmkeras serve` cost over the model itself, and does it hold under load?

    python tests/benchmarks/server.py --clients 200 --requests 20000
    python tests/benchmarks/server.py --litert    # single rows are answered by a LiteRT file in the version

The server is a process of its own. First one client, a row at a time, in turns with the SavedModel's signature in this
process; then many clients at once, a tenth of whose requests have a broken picture. No answer may be wrong or missing,
and the server's memory may not grow.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import itertools
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import mmkeras as mm
from mmkeras.client import Client, RequestError, ServerError

NAME, BROKEN = "scenes", 10  # every tenth request


def build(folder, litert=False):
    """Exports a small model, with a LiteRT file in it where `litert`; (its signature, raw rows)."""
    spec = [mm.Text("review", vocabulary=("good", "bad", "day"), max_tokens=8),
            mm.Image("photo", size=(16, 16), optional=True)]  # fmt: skip
    photos = [tf.io.encode_png(np.random.default_rng(i).integers(0, 256, (20, 20, 3), "uint8")) for i in range(7)]
    rows = [{"review": " ".join(words), "photo": photo.numpy()}
            for words, photo in zip(itertools.permutations(("good", "bad", "day")), photos, strict=False)]  # fmt: skip
    raw = {name: [row[name] for row in rows] for name in rows[0]}
    preprocess = mm.adapt(mm.preprocessor(spec), tf.data.Dataset.from_tensor_slices(raw), verbose=False)
    branches = {"review": mm.branches.text.conv1d(spec[0], filters=8),
                "photo": mm.branches.image.conv2d(spec[1], filters=(8,))}  # fmt: skip
    heads = [mm.heads.classification("mood", ["good", "bad"])]
    model = mm.fusion_model(spec, branches, mm.fusion.Concatenate(8), heads)
    report = mm.export.saved_model(preprocess, model, f"{folder}/{NAME}/1", samples=raw)
    if litert:
        mm.export.litert(preprocess, model, f"{report['path']}/assets.extra/{NAME}.tflite", samples=raw)
    return tf.saved_model.load(report["path"]).signatures["serving_default"], rows


def scores(signature, rows):
    """The answers of the signature, each row asked alone."""
    tensors = [{name: tf.constant([value]) for name, value in row.items()} for row in rows]
    return [signature(**each)["mood_scores"].numpy()[0] for each in tensors]


def ask_many(url, rows, expected, *, clients, requests, seen=lambda done: None):
    """Asks one row per request by many clients at once; every tenth one is broken.

    Args:
        url: of the server.
        rows: list of raw rows, with a "photo".
        expected: list of their scores.
        clients: how many ask at once, each with a connection of its own.
        requests: how many in all.
        seen: function (requests that are done), called now and then.

    Returns:
        (`collections.Counter` of "right", "refused", "wrong" and "lost", seconds of each request).
    """
    outcomes, seconds, numbers = [], [], itertools.count()  # whose appending is safe in threads

    def work(_):
        with Client(url, NAME, retries=100) as client:
            while (number := next(numbers)) < requests:
                began = time.perf_counter()
                outcomes.append(_outcome(client, number, rows, expected))
                seconds.append(time.perf_counter() - began)
                if number % 1000 == 0:
                    seen(number)

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return collections.Counter(outcomes), seconds


def _outcome(client, number, rows, expected):
    """One of the words of `ask_many`."""
    i, broken = number % len(rows), number % BROKEN == 0
    row = rows[i] | ({"photo": b"broken %d" % number} if broken else {})
    try:
        (answer,) = client.predict(row)
    except RequestError as error:
        return "refused" if broken and f"broken {number}" in str(error) else "wrong"
    except ServerError:
        return "lost"
    near = np.allclose(answer["mood_scores"], expected[i], atol=1e-5)
    return "right" if near and not broken else "wrong"


@contextlib.contextmanager
def server_of(folder, *options):
    """(URL, process, seconds until it answered) of a server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began, url = time.perf_counter(), f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mmkeras.cli", "serve", folder, "--port", str(port), *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                Client(url, NAME, retries=0).status()
                break
            except ServerError:
                time.sleep(0.02)
                if process.poll() is not None:
                    raise
        yield url, process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def alone(url, signature, row, rounds):
    """Milliseconds of one row: of each request, and of each call of the signature, in turns."""
    tensors = {name: tf.constant([value]) for name, value in row.items()}
    times = {"request": [], "signature": []}
    with Client(url, NAME) as client:
        calls = {"request": lambda: client.predict(row),
                 "signature": lambda: {name: x.numpy() for name, x in signature(**tensors).items()}}  # fmt: skip
        for index in range(rounds):
            for name in calls if index % 2 else reversed(calls):
                began = time.perf_counter()
                calls[name]()
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def resident(process):
    """Megabytes that a process holds in memory (Linux)."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main(args):
    with tempfile.TemporaryDirectory() as folder:
        signature, rows = build(folder, args.litert)
        expected = scores(signature, rows)
        with server_of(folder) as (url, process, started):
            times = alone(url, signature, rows[0], args.rounds)
            memory = {}
            began = time.perf_counter()
            counts, seconds = ask_many(url, rows, expected, clients=args.clients, requests=args.requests,
                                       seen=lambda done: memory.update({done: resident(process)}))  # fmt: skip
            took = time.perf_counter() - began
            memory[args.requests] = resident(process)
    table = Table("one row", "p50 ms", "p99 ms", title=f"answers {started:.1f} s after its start; the first in "
                  f"{times['request'][0]:.0f} ms")  # fmt: skip
    for name, values in times.items():
        table.add_row(name, *(f"{np.percentile(values[20:], share):.2f}" for share in (50, 99)))
    over = statistics.median(a - b for a, b in zip(times["request"][20:], times["signature"][20:], strict=True))
    table.add_row("request - signature, in pairs", f"{over:.2f}", "")
    Console().print(table)
    late = [value for done, value in memory.items() if done >= args.requests / 5]
    p50, p99 = (1000 * np.percentile(seconds, share) for share in (50, 99))
    print(f"{args.clients} clients, {args.requests:,} requests in {took:.1f} s ({args.requests / took:.0f}/s), "
          f"p50 {p50:.0f} ms, p99 {p99:.0f} ms: {dict(counts)}")  # fmt: skip
    print(f"memory from the first fifth to the end: {late[0]:.0f} to {late[-1]:.0f} MB, {max(late):.0f} at most")
    assert counts == {"right": args.requests - (args.requests - 1) // BROKEN - 1,
                      "refused": (args.requests - 1) // BROKEN + 1}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=500, help="single requests, for the latency")
    parser.add_argument("--litert", action="store_true", help="put a LiteRT file into the version")
    main(parser.parse_args())
