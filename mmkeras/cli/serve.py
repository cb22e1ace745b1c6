"""Serves every NAME/VERSION below a folder by TF Serving's REST protocol.

    mmkeras serve saved_models --port 8501

    curl http://localhost:8501/v1/models/NAME                    its versions
    curl http://localhost:8501/v1/models/NAME/metadata           its inputs
    curl -d @FILE http://localhost:8501/v1/models/NAME:predict   its answers
    curl http://localhost:8501/metrics                           counts

An example FILE is in each export, assets.extra/request.json. New versions are picked up while it runs; removing the
highest one is a rollback. `versions/N` or `labels/LABEL` after NAME asks another version than the highest; the file
NAME/labels.json says which are labelled, {"stable": 1, "canary": 2}. A LiteRT file (float32) of the same model,
NAME/VERSION/assets.extra/NAME.tflite, answers single examples in a fraction of the SavedModel's time; it is checked to
answer request.json alike. Without such a file, `--threads 1` answers single examples of a small model faster (0.64 of
the time on two cores), since its ops are too short to be divided; large models need all cores. Ctrl-C or SIGTERM ends
it.
"""

import argparse
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="such as saved_models, which holds NAME/VERSION/saved_model.pb")
    parser.add_argument("--port", type=int, default=8501, help="8501, as TF Serving's, by default; 0 for any free one")
    parser.add_argument("--host", default="127.0.0.1", help="this machine only by default; 0.0.0.0 for the network")
    parser.add_argument(
        "--newest", type=int, help="how many of the highest versions of each name are loaded; all by default"
    )
    parser.add_argument("--max-batch", type=int, default=32, help="examples that are answered together; 32 by default")
    parser.add_argument(
        "--max-waiting", type=int, default=256, help="requests at once; more are answered with 503; 256 by default"
    )
    parser.add_argument("--threads", type=int, help="of each op of TensorFlow; one for each core by default")
    parser.add_argument(
        "--max-megabytes", type=int, default=32, help="of a request; more is answered with 413; 32 by default"
    )


def run(args: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported; else 2 lines per refused row
    if args.threads is not None:
        if args.threads < 1:
            raise ValueError(f"--threads must be above 0. Received: {args.threads}. Give 1, or leave it out.")
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(args.threads)  # read when TensorFlow runs its first op
    from mmkeras import serve  # heavy, and an extra

    serve.serve(args.folder, port=args.port, host=args.host, newest=args.newest, max_batch=args.max_batch,
                max_waiting=args.max_waiting, max_request_bytes=args.max_megabytes << 20)  # fmt: skip
