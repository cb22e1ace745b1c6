"""Runs a LiteRT file in Chromium, on the request that its export recorded, and compares it with Python.

    cd recipes/browser && npm install --legacy-peer-deps && cd ../..
    python recipes/browser/check.py saved_models/sentiment.tflite

Texts need a fixed length, `mm.export.litert(..., fixed_length=True)`: the runtime for browsers does not resize tensors.
Here Python prepares the raw values, by `mmkeras.edge`. On a page of your own that is JavaScript's part: pixels of a
canvas, samples of the Web Audio API, and the ids of a text; `preprocess.json` in the file says how.
"""

import argparse
import functools
import http.server
import json
import queue
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np

from mmkeras import edge
from mmkeras.cli._artefacts import find
from mmkeras.cli._requests import rows_of

HERE = Path(__file__).parent


def main(args):
    path = Path(args.path)
    artefact, model = find(path), edge.Model(path)
    examples = [model.preprocess(row) for row in rows_of(artefact, artefact.read_beside("answers.json"))]
    names, outputs = names_of(path)
    ready = [{names[name]: numbers(tensor) for name, tensor in example.items()} for example in examples]
    found = in_browser(path, ready, args.folder, args.chromium, args.wait)
    if "error" in found:
        raise RuntimeError(f"The page reports: {found['error']}")
    largest = 0.0
    for example, answers in zip(examples, found["outputs"], strict=True):
        for head, expected in model.predict(example).items():
            received = np.reshape(answers[outputs[head]], expected.shape)
            largest = max(largest, float(np.abs(received - expected).max()))
    milliseconds = found["milliseconds"]
    print(f"{len(examples)} examples in Chromium, {milliseconds:.2f} ms each; largest difference {largest:.1g}")
    if largest > args.tolerance:
        raise SystemExit(f"The outputs differ by {largest:.2g}, allowed is {args.tolerance:g}.")


def names_of(path):
    """Names of the tensors in the file, by the names of the signature: of inputs, and of outputs."""
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(str(path)).get_signature_runner()
    inputs = signature.get_input_details()
    free = [name for name, details in inputs.items() if -1 in details.get("shape_signature", ())]
    if free:
        raise ValueError(
            f"The browser's runtime needs tensors of a fixed size. Received: {path}, whose {free} have any length. "
            "Export it with fixed_length=True."
        )
    return tuple({name: details["name"] for name, details in side.items()}
                 for side in (inputs, signature.get_output_details()))  # fmt: skip


def numbers(tensor):
    """The numbers of a tensor, flat; True is 1."""
    return (tensor.astype(int) if tensor.dtype == bool else tensor).ravel().tolist()


def in_browser(path, ready, folder, chromium, wait):
    """What the page posts to "answers"."""
    if not (Path(folder) / "node_modules").is_dir():
        raise FileNotFoundError(f"{folder}/node_modules is missing. Run in {folder}: npm install --legacy-peer-deps")
    posted = queue.Queue()
    files = {"/model.tflite": path.read_bytes(), "/ready.json": json.dumps(ready).encode()}
    handler = functools.partial(Handler, files, posted, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        url = f"http://127.0.0.1:{server.server_port}/index.html"
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            url,
        ]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return posted.get(timeout=wait)
        except queue.Empty:
            raise TimeoutError(f"The page did not answer within {wait:g} s.") from None
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The files of a folder and some from memory; what is posted goes into a queue."""

    def __init__(self, files, posted, *args, **kwargs):
        self.files, self.posted = files, posted
        super().__init__(*args, **kwargs)

    def do_GET(self):
        if self.path not in self.files:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.files[self.path])))
        self.end_headers()
        self.wfile.write(self.files[self.path])

    def do_POST(self):
        self.posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", help="a LiteRT file, with the files beside it")
    parser.add_argument("--folder", default=HERE, help="with index.html, run.js and node_modules; that of this script")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium", help="the browser")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest difference that is allowed")
    parser.add_argument("--wait", type=float, default=60, help="seconds until the page has to answer")
    main(parser.parse_args())
