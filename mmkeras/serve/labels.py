"""Labels of versions, such as "stable" and "canary": NAME/labels.json below the served folder.

The file is an object, label -> number of a version. It is read at every request that names a label, so that a label is
moved by writing the file, without a restart. TF Serving keeps the same in `version_labels` of its own configuration.
"""

import json
from pathlib import Path

from starlette.exceptions import HTTPException

from mmkeras.checks import did_you_mean

NAME = "labels.json"


def version_of(folder: Path, name: str, label: str) -> int:
    """The number of the version of a model that has a label.

    Args:
        folder: that is served.
        name: of a model that is served.
        label: from a request.

    Raises:
        HTTPException: 400 for a label that there is not, 500 for a file that holds something else.
    """
    labels = _labels(Path(folder, name, NAME))
    if label in labels:
        return labels[label]
    hint = did_you_mean(label, list(labels)) or f"Write it into {name}/{NAME} below the served folder."
    received = f"'{label}', of which {name}/{NAME} has {list(labels)}" if labels else f"'{label}', and no {name}/{NAME}"
    raise HTTPException(400, f"Unrecognized servable version label. Received: {received}. {hint}")


def _labels(path):
    if not path.is_file():
        return {}
    try:
        labels = json.loads(path.read_bytes())
        problem = "" if _is_whole(labels) else f"{labels!r:.60}"
    except ValueError as error:
        problem = str(error)
    if problem:
        raise HTTPException(
            500, f'{NAME} must be an object such as {{"stable": 1, "canary": 2}}. Received: {problem}. Mend {path}.'
        )
    return labels


def _is_whole(labels):
    numbers = labels.values() if isinstance(labels, dict) else [None]
    return all(type(number) is int and number > 0 for number in numbers)
