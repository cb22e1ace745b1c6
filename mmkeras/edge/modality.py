"""The base class of modalities on a device."""


class Modality:
    """Prepares one modality: a callable from a raw value to a dict of ready arrays with a batch of 1.

    To add a kind, derive from this class and add the new class to `mmkeras.edge.KINDS` under its kind. The constructor
    receives the entry of the modality in `preprocess.json`.

    Attributes:
        name: of the modality.
        takes_columns: whether it is called with the dict of all raw values, as a table is, instead of its own value.
        meaning: description of its ready values for viewers of the file: a format string with fields of
            `preprocess.json`.
        allowed: largest difference from the ready values of `mmkeras.preprocess`, which `export.litert` measures.
        relative: whether this is relative for values above 1.
    """

    takes_columns = False
    meaning = "{kind}"
    allowed = 0.0
    relative = False

    @property
    def raw_names(self) -> list[str]:
        """Names of the raw values that it reads."""
        return [self.name]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Dict, ready name -> shape without the batch."""
        raise NotImplementedError

    def _masked(self, shape, mask):
        return {self.name: tuple(shape), f"{self.name}_mask": tuple(mask)}
