"""`python -m mmkeras.serve FOLDER --port 8501`."""

import argparse
import logging

from mmkeras.serve import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m mmkeras.serve",
        description="Serves every NAME/VERSION below FOLDER by TF Serving's REST protocol.",
    )
    parser.add_argument("folder", help="saved_models, which holds NAME/VERSION/saved_model.pb")
    parser.add_argument("--port", type=int, default=8501, help="TF Serving's, 8501, by default; 0 for any free one")
    parser.add_argument("--host", default="127.0.0.1", help="this machine only by default; 0.0.0.0 for the network")
    parser.add_argument("--newest", type=int, help="versions of each name that are loaded; all by default")
    parser.add_argument("--max-batch", type=int, default=32, help="examples that are answered together")
    parser.add_argument("--max-waiting", type=int, default=256, help="requests at once; more are answered with 503")
    parser.add_argument("--max-megabytes", type=int, default=32, help="of a request; more is answered with 413")
    args = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    serve(args.folder, port=args.port, host=args.host, newest=args.newest, max_batch=args.max_batch,
          max_waiting=args.max_waiting, max_request_bytes=args.max_megabytes << 20)  # fmt: skip
