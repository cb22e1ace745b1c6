"""Serves every NAME/VERSION below a folder by TF Serving's REST protocol."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="such as saved_models, which holds NAME/VERSION/saved_model.pb")
    parser.add_argument("--port", type=int, default=8501, help="8501, as TF Serving's, by default; 0 for any free one")
    parser.add_argument("--host", default="127.0.0.1", help="this machine only by default; 0.0.0.0 for the network")
    parser.add_argument("--newest", type=int, help="versions of each name that are loaded; all by default")
    parser.add_argument("--max-batch", type=int, default=32, help="examples that are answered together")
    parser.add_argument("--max-waiting", type=int, default=256, help="requests at once; more are answered with 503")
    parser.add_argument("--max-megabytes", type=int, default=32, help="of a request; more is answered with 413")


def run(args: argparse.Namespace) -> None:
    from mmkeras import serve  # heavy, and an extra

    serve.serve(args.folder, port=args.port, host=args.host, newest=args.newest, max_batch=args.max_batch,
                max_waiting=args.max_waiting, max_request_bytes=args.max_megabytes << 20)  # fmt: skip
