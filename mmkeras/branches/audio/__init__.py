"""Audio branches: waveform (B, S) -> tokens. The front end, log-mel or learned, is part of the model.

    conv2d       convolutions over a log-mel spectrogram: small, fast, the first to try
    crnn         convolutions, then a GRU over time: where order matters, as in words and events
    transformer  attention between patches of the spectrogram: for tens of thousands of clips, or many epochs
    conv_tasnet  a learned filter bank on the waveform, then dilated convolutions: where mel bands are too coarse

>>> import mmkeras as mm
>>> conv2d(mm.Audio("voice", seconds=1.0, sample_rate=8000), filters=(8, 16)).output_shape
[(None, 24, 16), (None, 24)]
"""

from mmkeras.branches.audio._conv2d import conv2d
from mmkeras.branches.audio._conv_tasnet import conv_tasnet
from mmkeras.branches.audio._crnn import crnn
from mmkeras.branches.audio._transformer import transformer

__all__ = ["conv2d", "conv_tasnet", "crnn", "transformer"]
