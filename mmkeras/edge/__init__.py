"""Runs a LiteRT file on a device: raw values in, answers out, without TensorFlow and without Keras.

    from mmkeras import edge

    model = edge.Model("saved_models/sentiment.tflite")
    model({"review": "Lovely!", "photo": open("1.jpg", "rb").read()})

It needs numpy, Pillow, ai-edge-litert and the standard library: `pip install --no-deps mmkeras` beside those three.

To port it to Kotlin, Swift or C++, write these steps again; each file here is short, and is the reference.

1. Open the `.tflite` as a zip archive too and read `preprocess.json`: `inputs` has one entry per modality, `outputs`
   one per head; what `unprepared` names comes from layers of your own. Feed and read the file by the names of its
   signature, never by position.
2. `text`: the steps of `edge.text`: at most 1024 bytes for each token (65,536 at least) are read; markup, NFKC, case
   folding, NFKC, blanks, split, look-up; a required text must have a token. Ids are int32 (1, T), 0 behind the text;
   the mask (1, T) is true for the text. Where the signature leaves the length free (-1), feed fewer where the text is
   short, in steps of 16: time grows with the length, but each new length costs, too. Unicode is that of ICU
   (java.text.Normalizer and android.icu, Foundation, ICU4C): its categories and its full case folding. `wordpiece`,
   of a pretrained model: the steps of `edge.wordpiece` in place of these.
3. `image`: refuse a file whose header tells of more than `max_pixels` pixels, and a damaged one (a PNG whose
   checksums are wrong, a JPEG with zeros in its pixels' data: `edge.jpeg`). Decode JPEG, PNG, BMP or the first picture
   of a GIF to RGB, turn a JPEG by its EXIF orientation, lay what is transparent over white, then scale
   with a triangle filter that widens as it shrinks (`edge.image`), round; uint8 (1, H, W, C), untouched where the size
   fits. The platform's own bilinear scaling is not the same: it skips pixels as it shrinks.
4. `audio`: WAV to mono float32 (1, S) in [-1, 1]: integers / 2^(bits - 1), channels averaged, resampled by the
   polyphase filter of `edge.audio`, cut or filled with zeros; the mask (1, S) is true where the file had sound. An
   input of int16 takes min(32767, round(32768 x)).
5. `video`: a GIF, each frame laid over those before it, the first over white, all of them together of at
   most 4 `max_pixels`; or a ZIP of stored JPEG and PNG files in their order. Of N frames take all where N <= F, else
   frame floor((2i + 1) N / 2F) for each i < F, check their CRC-32, and prepare them as an `image`; uint8
   (1, F, H, W, C), zeros behind the last; the mask (1, F) is true for the frames.
6. `table`: the numeric columns, then nine numbers of each of the `dates` (`mmkeras.formats.dates`), all of them
   (x - mean) / std, clipped to -10 and 10; then the ids of categories, from 2 on (1 unknown, 0 missing); float32
   (1, N), and the mask (1, N) is true where a value was given.
7. `vector`: the numbers as they are, float32 (1, D); its mask (1, 1) is true.
8. What is absent has zeros, and a mask of false; so a missing photo is told from a black one.
9. `outputs`: of a classification the scores come in the order of `classes`; a regression gives its own units. A
   transcription gives logits (1, T, V) for each moment: of the most probable unit of each moment, repetitions are
   joined, id 0 (the blank) is dropped, and the `pieces` of what is left, joined, without blanks at both ends, are the
   text (`edge.transcription`; with `beams` above 1 a beam search stands in for the first two steps, and the best path
   through a graph of nodes where one is `allowed`). A generation gives ids (1, L), 0 from the end on: the `pieces` of
   these numbers, joined, without blanks at both ends, are the text.
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
    "WordPiece",
    "describe",
]
