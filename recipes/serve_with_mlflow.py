"""Serves an export with MLflow's HTTP server, and asks it with the request that the export recorded.

    python recipes/serve_with_mlflow.py saved_models/quickstart/1

The server needs TensorFlow, tensorflow-text and MLflow, and nothing of mmkeras. MLflow 2 is installed into an
environment of its own, since it holds pandas below 3 and needs a starlette below 1; MLflow 3 asks for a protobuf that
TensorFlow 2.17 refuses:

    python3.11 -m venv .mlflow
    .mlflow/bin/pip install "tensorflow~=2.17.1" "tensorflow-text~=2.17.0" "mlflow>=2.22,<3" "starlette<1"
    .mlflow/bin/python recipes/serve_with_mlflow.py saved_models/quickstart/1

A request of MLflow is `{"inputs": [row, ...]}` or `{"dataframe_records": [row, ...]}`, whose rows are the instances of
the export's assets.extra/request.json as they are: texts, numbers, and files as {"b64": ...}.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

LOADER = '''"""MLflow calls `_load_pyfunc` with the path of the SavedModel, and `predict` with a table of rows."""

import base64

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops that read text


def _load_pyfunc(path):
    return Served(tf.saved_model.load(path))


class Served:
    def __init__(self, model):
        self.model = model  # the signature alone does not keep its variables
        self.answer = model.signatures["serving_default"]

    def predict(self, data, params=None):
        specs = self.answer.structured_input_signature[1]
        given = {name: tf.constant([plain(value) for value in data[name]], spec.dtype) for name, spec in specs.items()}
        answers = {name: value.numpy() for name, value in self.answer(**given).items()}
        return [{name: listed(value[i]) for name, value in answers.items()} for i in range(len(data))]


def plain(value):
    """A string, the bytes of {"b64": ...}, a number, or a list of them."""
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def listed(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [listed(each) for each in value] if getattr(value, "dtype", None) == object else value.tolist()
'''


def main(args):
    import mlflow.pyfunc

    export, out = Path(args.export), Path(args.out)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "mmkeras_loader.py").write_text(LOADER)

    # 1. A folder of MLflow: the loader, and the SavedModel as it is.
    mlflow.pyfunc.save_model(
        out / "model",
        loader_module="mmkeras_loader",
        data_path=str(export),
        code_paths=[str(out / "mmkeras_loader.py")],
        pip_requirements=["tensorflow~=2.17.1", "tensorflow-text~=2.17.0"],
    )

    # 2. Its server, a process of its own. `--env-manager local` uses this environment rather than making one.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(out / "model"), "--port", str(port),
               "--env-manager", "local"]  # fmt: skip
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (out / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/ping", server, args.wait)

        # 3. The recorded request, and the answers that were recorded with it.
        instances = json.loads((export / "assets.extra/request.json").read_text())["instances"]
        answers = asked(f"{url}/invocations", {"dataframe_records": instances})["predictions"]
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(server.pid, signal.SIGTERM)  # the server has a process below it
        server.wait()
    recorded = json.loads((export / "assets.extra/answers.json").read_text())
    largest = max(difference(name, answers, values) for name, values in recorded["answers"].items())
    report = {"export": str(export), "n": len(answers), "largest_difference": largest, "answers": answers}
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"{len(answers)} answers over HTTP; they differ from the recorded ones by {largest:.1g} at most")
    print(f"Written: {out}/report.json, server.log, model/, which `mlflow models serve -m {out}/model` serves")


def difference(name, answers, recorded):
    """Largest difference of the numbers of an answer; 1 if its strings differ."""
    received = [answer[name] for answer in answers]
    if received == recorded:
        return 0.0
    pairs = list(zip(flat(received), flat(recorded), strict=True))
    if any(isinstance(one, str) for pair in pairs for one in pair):
        return 1.0
    return max(abs(one - other) for one, other in pairs)


def flat(value):
    return [each for part in value for each in flat(part)] if isinstance(value, list) else [value]


def wait_for(url, server, seconds):
    """Returns once the server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError("The server does not answer. Its log, server.log in the folder of the run, says why.")


def asked(url, body):
    """The answer to a POST of JSON, as JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"The server refused the request: {error.read().decode()[:2000]}") from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("export", help="a version of a SavedModel, such as saved_models/quickstart/1")
    parser.add_argument("--out", default="runs/serve_with_mlflow", help="folder of the run, which is replaced")
    parser.add_argument("--wait", type=float, default=120, help="seconds until the server has to answer")
    main(parser.parse_args())
