"""One model of a server that speaks TF Serving's REST protocol."""

import base64
from urllib.parse import quote

from mmkeras.client.connection import Connection


class Rest:
    """Asks by JSON over HTTP.

    Args:
        url, timeout, retries, headers, ca_file: as of `Connection`.
        model: name of the served model.
        version, label: of the model; None for the newest.

    Source: TensorFlow Serving, "RESTful API".
    """

    def __init__(self, url, model, version, label, timeout, retries, headers, ca_file):
        self._connection = Connection(url, timeout, retries, headers, ca_file)
        self._path = f"/v1/models/{quote(model, safe='')}"
        if label is not None:
            self._path += f"/labels/{quote(label, safe='')}"
        elif version is not None:
            self._path += f"/versions/{version}"

    def metadata(self):
        return self._connection.ask(f"{self._path}/metadata")

    def states(self):
        """Dict, version -> its state."""
        states = self._connection.ask(self._path)["model_version_status"]
        return {int(each["version"]): each["state"] for each in states}

    @staticmethod
    def of_bytes(value):
        """Bytes as they stand in a row."""
        return {"b64": base64.b64encode(value).decode()}

    def answers(self, signature, inputs, rows):
        """What the server gives as answers to encoded rows: a list of dicts by output name.

        Args:
            signature: its name.
            inputs: `Inputs` of it.
            rows: list of dicts, `inputs.encoded` of each row.
        """
        found = self._connection.ask(f"{self._path}:predict", {"signature_name": signature, "instances": rows})
        answers, outputs = found["predictions"], inputs.outputs
        if len(outputs) == 1 and isinstance(answers, list):  # the protocol leaves out the name of a single output
            return [{outputs[0]: answer} for answer in answers]
        return answers

    def close(self):
        self._connection.close()
