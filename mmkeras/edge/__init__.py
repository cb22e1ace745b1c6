"""Runs a LiteRT file on a device: raw values in, answers out, without TensorFlow and without Keras.

    from mmkeras import edge

    model = edge.Model("saved_models/sentiment.tflite")
    model({"review": "Lovely!", "photo": open("1.jpg", "rb").read()})

A picture may also be an array of RGB pixels, and a sound an array of samples: see `help(edge.Model)`. `edge.Windows`
answers about a live sound, window by window; `edge.Stream` transcribes it.

It needs numpy, Pillow and ai-edge-litert only, and is a distribution of its own, `mmkeras-edge`, together with the
client of `mmkeras serve`: `pip install ./mmkeras/edge` in a clone, or in a wheel, `pip wheel --no-deps ./mmkeras/edge`.

To port it to Kotlin, Swift or C++, implement the following steps; the modules of this package are the reference.

1. Open the `.tflite` file as a ZIP archive and read `preprocess.json`: `inputs` has one entry per modality, `outputs`
   one per head; `unprepared` lists the inputs that custom layers compute. Access the tensors of the file by the names
   of its signature, not by position.
2. `text`: the steps of `edge.text`: read at most 1024 bytes per token (but at least 65,536); remove markup; NFKC, case
   folding, NFKC; whitespace; split; look up. A required text must have a token. Ids are int32 (1, T), padded with 0;
   the mask (1, T) is true for the tokens. If the length is dynamic (-1) in the signature, pad short texts to a multiple
   of 16 only: time grows with the length, but each new length has a cost as well. Unicode is that of ICU
   (java.text.Normalizer and android.icu, Foundation, ICU4C): its categories and its full case folding. `wordpiece`,
   of a pretrained model: the steps of `edge.wordpiece` in place of these.
3. `image`: refuse files with more than `max_pixels` pixels according to the header, and damaged files (a PNG with
   wrong checksums, a JPEG with overwritten data: `edge.jpeg`). Decode JPEG, PNG, BMP or the first picture
   of a GIF to RGB, a large JPEG at 1/2, 1/4 or 1/8 of its size (`mmkeras.formats.scaling`); rotate a JPEG by its EXIF
   orientation, composite transparent pixels over white, then resize with an antialiased triangle filter (`edge.image`)
   and round; uint8 (1, H, W, C), not resampled if the size is right already. Bilinear scaling of the platform differs:
   it skips pixels when it reduces the size.
4. `audio`: WAV to mono float32 (1, S) in [-1, 1]: integers / 2^(bits - 1), channels averaged, resampled by the
   polyphase filter of `edge.audio`, truncated or padded with zeros; the mask (1, S) is true for samples of the file. An
   int16 input takes min(32767, round(32768 x)).
5. `video`: a GIF, each frame drawn over the previous ones, the first over white, with at most 4 `max_pixels` in all
   frames together; or a ZIP of stored (uncompressed) JPEG and PNG files in order. Of N frames take all if N <= F, else
   frame floor((2i + 1) N / 2F) for each i < F, check their CRC-32, and prepare each like an `image`; uint8
   (1, F, H, W, C), padded with zeros; the mask (1, F) is true for the frames.
6. `table`: the numeric columns, then nine numbers of each of the `dates` (`mmkeras.formats.dates`), all of them
   (x - mean) / std, clipped to -10 and 10; then the ids of categories, from 2 on (1 unknown, 0 missing); float32
   (1, N), and the mask (1, N) is true where a value is present.
7. `vector`: the numbers unchanged, float32 (1, D); its mask (1, 1) is true.
8. Absent modalities are zeros with a mask of false, which distinguishes a missing photo from a black one.
9. `outputs`: a classification gives scores in the order of `classes`; a regression gives values in their units. A
   transcription gives logits (1, T, V) of each time step: of the most probable unit of each step, repetitions are
   merged, id 0 (the blank) is dropped, and the `pieces` of the others, joined and stripped, are the
   text (`edge.transcription`; with `beams` above 1 a beam search replaces the first two steps; with `allowed`, the best
   path through its graph is taken). A generation gives ids (1, L), 0 after the end: the `pieces` of
   these ids, joined and stripped, are the text.
"""

from mmkeras.edge.audio import Audio
from mmkeras.edge.description import ANSWERS, KINDS, describe
from mmkeras.edge.image import Image
from mmkeras.edge.modality import Modality
from mmkeras.edge.runner import Model, Preprocess
from mmkeras.edge.table import Table
from mmkeras.edge.text import Text
from mmkeras.edge.transcription_stream import Stream
from mmkeras.edge.vector import Vector
from mmkeras.edge.video import Video
from mmkeras.edge.windows import Windows
from mmkeras.edge.wordpiece import WordPiece

__all__ = [
    "ANSWERS",
    "KINDS",
    "Audio",
    "Image",
    "Modality",
    "Model",
    "Preprocess",
    "Stream",
    "Table",
    "Text",
    "Vector",
    "Video",
    "Windows",
    "WordPiece",
    "describe",
]
