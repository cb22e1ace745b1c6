"""Asks a served model: raw values in, answers out, without TensorFlow and without Keras.

    from pathlib import Path
    from mmkeras.client import Client

    with Client("http://localhost:8501", "sentiment") as client:
        client.predict([{"review": "Lovely!", "photo": Path("1.jpg")}, {"review": "Broken on arrival."}])

It speaks TF Serving's REST protocol, so it asks TF Serving itself as well as `mmkeras serve`. It needs numpy only:
`pip install numpy`, then `pip install --no-deps mmkeras`. TF Serving's gRPC port is asked with "grpc://localhost:8500"
and `pip install "mmkeras[grpc]"`, whose protos need TensorFlow.

values       rows -> what is sent, by what the served model says of its inputs
rest         TF Serving's REST protocol
rpc          TF Serving's gRPC protocol
connection   HTTP with kept connections, and repeated requests where a server is full or a connection breaks
errors       what is raised
"""

from mmkeras.client._client import Client
from mmkeras.client.errors import RequestError, ServerError

__all__ = ["Client", "RequestError", "ServerError"]
