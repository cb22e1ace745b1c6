"""The LiteRT file of a version, which answers single examples in a fraction of the SavedModel's time."""

from pathlib import Path

import numpy as np

from mmkeras import edge
from mmkeras.formats.status import STATUS
from mmkeras.serve.protocol import SIGNATURE

PATTERN = "assets.extra/*.tflite"  # of the file, below the folder of a version
_TOLERANCE = 1e-4  # that of a float32 file, see `export.litert`
_RULE = "The LiteRT file of a version must answer the version's request.json as its SavedModel does"


def file_of(version):
    """Path of the LiteRT file of a version, VERSION/assets.extra/*.tflite; None where there is none.

    Raises:
        ValueError: there are several.
    """
    files = sorted(Path(version).glob(PATTERN))
    if len(files) > 1:
        names = [file.name for file in files]
        raise ValueError(f"A version may have one LiteRT file in assets.extra. Received: {names}. Remove the others.")
    return files[0] if files else None


class Single:
    """Answers a single example by the LiteRT file, and everything else by the SavedModel.

    An example that the file refuses is asked of the SavedModel, so that refusals, and the `status` of an export that
    has one, are the SavedModel's.

    Args:
        file: path of the LiteRT file.
        saved: `SavedModel` of the same version.

    Raises:
        ValueError: the file does not answer the recorded request as the SavedModel does.
    """

    def __init__(self, file, saved):
        self._saved, self._model = saved, edge.Model(file)
        self._like = {}
        self._compare(file)

    def __call__(self, signature, arrays):
        if signature == SIGNATURE and len(next(iter(arrays.values()))) == 1:
            try:
                return self._answer(arrays)
            except ValueError:  # also a ValueError of the file itself; the SavedModel says what is wrong
                pass
        return self._saved(signature, arrays)

    def _answer(self, arrays):
        outputs = self._model.predict(self._model.preprocess({name: _raw(array[0]) for name, array in arrays.items()}))
        # A SavedModel answers the ids of a generated text, too.
        answers = {f"{name}_ids": value[0] for name, value in outputs.items()} | self._model.decode(outputs)
        return {name: _array(answers[name], like) for name, like in self._like.items() if name in answers} | (
            {STATUS: np.array([b""], object)} if STATUS in self._like else {}
        )

    def _compare(self, file):
        """Asks both the recorded request; this also warms the file up."""
        if self._saved.recorded is None:
            raise ValueError(f"{_RULE}. Received: '{file.name}', and no request.json. Export the SavedModel again.")
        signature, arrays = self._saved.recorded
        self._like = self._saved(signature, arrays)
        for i in range(len(next(iter(arrays.values())))):
            found = self._answer({name: array[i : i + 1] for name, array in arrays.items()})
            wanted = {name: value[i : i + 1] for name, value in self._like.items()}
            differ = [name for name, value in wanted.items() if name not in found or not _near(found[name], value)]
            if differ:
                raise ValueError(
                    f"{_RULE}, within {_TOLERANCE:g}. Received: '{file.name}', where {differ} of example {i} differ. "
                    "Export it from the same model, in float32, or remove it."
                )


def _raw(value):
    return value if isinstance(value, bytes) or value.ndim else float(value)


def _array(value, like):
    """An answer of `edge.Model` -> (1, ...), with the dtype and shape of the SavedModel's answers."""
    if like.dtype == object:
        encoded = np.frompyfunc(str.encode, 1, 1)(np.array([value], object))
        return encoded.reshape(1, *like.shape[1:])
    return np.array(value, like.dtype).reshape(1, *like.shape[1:])


def _near(found, wanted):
    if found.dtype == object:
        return np.array_equal(found, wanted)
    return np.allclose(found, wanted, rtol=_TOLERANCE, atol=_TOLERANCE)
