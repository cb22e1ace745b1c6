"""A local server of exported models, for `pip install "mmkeras[serve]"`.

It speaks TF Serving's REST protocol, and the Open Inference Protocol (V2).

    mmkeras serve saved_models --port 8501

protocol        JSON <-> arrays by input name, as TF Serving has it
open_inference  the same, and the routes, of the Open Inference Protocol
model           one SavedModel: loaded, warmed up, asked; refusals are readable
litert          the LiteRT file of a version, which answers single examples faster
batching        requests that wait together are answered together; one that is refused does not harm the others
labels          names of versions, such as "stable"
versions        what lies below the folder: new versions are loaded, those that were removed are let go
metrics         counts for Prometheus
app             the HTTP routes
"""

try:
    import prometheus_client as _prometheus_client  # noqa: F401
    import starlette as _starlette  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "mmkeras.serve needs starlette, uvicorn and prometheus-client. "
        f"Received: {error}. Install them: pip install 'mmkeras[serve]'."
    ) from error

from mmkeras.serve.app import application
from mmkeras.serve.run import running, serve

__all__ = ["application", "running", "serve"]
