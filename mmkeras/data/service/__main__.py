"""Prepares batches for trainers on other machines, train_batches(..., service="grpc://HOST:PORT").

    python -m mmkeras.data.service --host worker-1.example --port 5050

One server for each machine; a trainer names all of them. It is a dispatcher of tf.data service with one worker, in a
process that knows the ops of tensorflow-text and tensorflow-io. It reads files by the paths that the trainer's table
has, so both need the same file system. There is no password: whoever reaches the ports can read what this process can.
Ctrl-C or SIGTERM ends it.
"""

import argparse
import os
import signal
import socket
import threading

import tensorflow as tf

from mmkeras.data.service.ops import register

_END = threading.Event()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m mmkeras.data.service", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="name or address by which trainers reach this machine; itself by default"
    )
    parser.add_argument("--port", type=int, default=5050, help="of the dispatcher, 5050 by default; 0 for any free one")
    parser.add_argument("--worker-port", type=int, default=0, help="of the worker, which gives the batches; any free "
                        "one by default. Trainers must reach it, too")  # fmt: skip
    args = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _END.set())
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a trainer on this machine needs its memory
    try:
        for port in (args.port, args.worker_port):
            socket.create_server(("", port)).close()  # gRPC would share the port with whoever has it
    except OSError as error:
        parser.error(f"the ports must be free. Received: {port}, {os.strerror(error.errno)}.")
    register()
    servers = _started(args.host, args.port, args.worker_port)
    print(f"Batches are prepared at {_address(args.host, servers[0])}", flush=True)
    _END.wait()
    os._exit(0)  # `stop` of the servers waits for trainers, for seconds


def _started(host, port, worker_port):
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer(service.DispatcherConfig(port=port))
    own = dispatcher.target.split("://")[1]
    config = service.WorkerConfig(dispatcher_address=own, worker_address=f"{host}:%port%", port=worker_port)
    return dispatcher, service.WorkerServer(config)


def _address(host, dispatcher):
    return f"grpc://{host}:{dispatcher.target.rsplit(':', 1)[1]}"


if __name__ == "__main__":
    main()
