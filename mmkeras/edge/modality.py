"""The contract of a modality on a device."""


class Modality:
    """What prepares one modality: a callable from a raw value to a dict of ready arrays with a batch of 1.

    To add a kind, derive from this class and put yours into `mmkeras.edge.KINDS` under its kind. Its arguments are what
    `preprocess.json` says of the modality.

    Attributes:
        name: of the modality.
        takes_columns: whether it is called with the dict of all raw values, as a table is, and not with its own.
        meaning: what its ready values are, for viewers of the file: a format string of what `preprocess.json` says.
        allowed: how far they may be from those of `mmkeras.preprocess`, which `export.litert` measures.
        relative: whether that is a share of values above 1.
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
