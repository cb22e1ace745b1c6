"""Audio branches: waveform (B, S) -> tokens. The front end is part of the model, log-mel or learned.

    conv2d       convolutions over a log-mel spectrogram: small, quick, the first to try
    crnn         convolutions that keep time, then a GRU: where order matters, as in words and events
    transformer  patches of the spectrogram attend to each other: for tens of thousands of clips, or many epochs
    conv_tasnet  a learned filter bank on the waveform, then dilated convolutions: where mel bands lose what counts

>>> import mmkeras as mm
>>> conv2d(mm.Audio("voice", seconds=1.0, sample_rate=8000), filters=(8, 16)).output_shape
[(None, 24, 16), (None, 24)]
"""

from mmkeras.branches.audio._conv2d import conv2d
from mmkeras.branches.audio._conv_tasnet import conv_tasnet
from mmkeras.branches.audio._crnn import crnn
from mmkeras.branches.audio._transformer import transformer

__all__ = ["conv2d", "conv_tasnet", "crnn", "transformer"]
