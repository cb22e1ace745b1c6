"""Base of the frozen dataclasses that are part of a Keras model's config: specs and heads."""

import dataclasses
from pathlib import Path


class Config:
    """Adds `get_config` and `from_config` to a frozen dataclass of plain values.

    Register subclasses like other Keras objects, with `@keras.saving.register_keras_serializable()`.

    Example:

    >>> import mmkeras as mm
    >>> spec = mm.Image("photo", size=(8, 8))
    >>> mm.Image.from_config(spec.get_config()) == spec
    True
    """

    def get_config(self):
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    @classmethod
    def from_config(cls, config):
        # JSON has no tuples, so lists are converted back.
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in config.items()})
