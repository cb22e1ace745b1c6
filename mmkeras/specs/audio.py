import dataclasses

from mmkeras.checks import check_name, check_positive, check_whole
from mmkeras.specs.base import OneString, Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audio(OneString):
    """An audio clip: raw, the bytes of a WAV file; ready, a mono waveform (S,) float32 in [-1, 1] and its mask.

    Args:
        name: key of this modality everywhere.
        seconds: length of the ready clip. Longer clips are cut, shorter ones padded with masked zeros.
        sample_rate: sample rate of the ready clip, in Hz; files of other rates are resampled.
        optional: whether the clip may be absent, which `b""` stands for.
    """

    kind = "audio"

    seconds: float = 1.0
    sample_rate: int = 16_000
    optional: bool = False

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, sample_rate=self.sample_rate)
        check_positive(self.name, seconds=self.seconds)

    @property
    def samples(self) -> int:
        """S, the length of the ready waveform."""
        return round(self.seconds * self.sample_rate)

    def about(self, name: str) -> str:
        return f"{self.seconds:g} s at {self.sample_rate:,} Hz"

    @property
    def ready(self) -> dict[str, Tensor]:
        return {self.name: Tensor((self.samples,), "float32"), f"{self.name}_mask": Tensor((self.samples,), "bool")}
