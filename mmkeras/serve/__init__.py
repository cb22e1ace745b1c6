"""A local server of exported models, which speaks TF Serving's REST protocol: `pip install "mmkeras[serve]"`.

    mmkeras serve saved_models --port 8501

protocol    JSON <-> arrays by input name
model       one SavedModel: loaded, warmed up, asked; refusals are readable
batching    requests that wait together are answered together; one that is refused does not harm the others
versions    what lies below the folder: new versions are loaded, those that were removed are let go
metrics     counts for Prometheus
app         the HTTP routes
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
