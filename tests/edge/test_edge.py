"""What a device prepares is what `preprocess` prepares."""

import io
import json
import random
import struct
import subprocess
import sys
import unicodedata
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.package.describe import describe
from tests.fuzz import pictures as fuzz


def both(spec, raw, learn=None):
    """Ready tensors of `raw` (dict of lists) by `preprocess` and by `mmkeras.edge`, by name."""
    model = mm.preprocessor([spec])
    if learn is not None:
        model = mm.adapt(model, tf.data.Dataset.from_tensor_slices(learn), verbose=False)
    described = json.loads(json.dumps(describe(model, [])))
    prepare = edge.Preprocess(described["inputs"])
    rows = [dict(zip(raw, values, strict=True)) for values in zip(*raw.values(), strict=True)]
    ours = [prepare(row) for row in rows]
    theirs = model({name: tf.constant(values) for name, values in raw.items()})
    for name, value in theirs.items():
        own = np.concatenate([row[name] for row in ours])
        assert (own.shape, own.dtype) == (value.shape, value.numpy().dtype)
        yield name, own, value.numpy()


TEXTS = ["", "Hello, World!", "<p class='x'>a<br />b</p>&nbsp;c &#169; 3 < 4", "ﬁne Ⅳ ½ Ａ Straße ÉCOLE İ ς Σ",
         "a\u200db c\x00d\te\u3000f\u00a0g", "我爱北京 カタカナと漢字 한국어 문장 हिन्दी में ที่ดี aั",
         "\u0301a ́ x \u0301", "__ed_m", "x" * 101,
         "unaffable untouchable", "👩‍👩‍👧 emoji ❤️"]  # fmt: skip


def odd_texts(n):
    draw = random.Random(0)
    ranges = [(32, 126), (0xA0, 0x24F), (0x300, 0x3FF), (0x400, 0x5FF), (0x900, 0xE7F), (0x2000, 0x2BFF),
              (0x3000, 0x30FF), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xFE00, 0xFFEF), (0x1F300, 0x1F6FF)]  # fmt: skip
    known = [chr(i) for low, high in ranges for i in range(low, high) if unicodedata.category(chr(i)) != "Cn"]
    return ["".join(draw.choices(known + [" "] * 400, k=40)) for _ in range(n)]


@pytest.mark.parametrize("tokenizer", ["words", "wordpiece", "characters"])
def test_ids_of_text_are_the_same(tokenizer):
    texts = TEXTS + odd_texts(300)
    spec = mm.Text("text", max_tokens=30, tokenizer=tokenizer, vocabulary_size=400, optional=True)
    learn = {"text": [text for text in texts[: len(texts) // 2] if text] + ["un ##aff able affable"] * 3}
    for _, own, theirs in both(spec, {"text": texts}, learn):
        assert [texts[i] for i in np.flatnonzero((own != theirs).any(axis=1))] == []
        assert theirs.any(axis=1).mean() > 0.9


# In BERT's tokenizer, the last one is unknown.
NO_TOKENS = ["<br />", " ", "\t\n", "\0", "\x85", "&nbsp;<p>", "\u00a0\u3000"]


@pytest.mark.parametrize("options", [{"tokenizer": kind, "vocabulary": ("a", "b")} for kind in
                                     ("words", "wordpiece", "characters")] + ["preset"])  # fmt: skip
def test_a_required_text_without_tokens_is_refused_alike(options, preset):
    options = {"preset": str(preset)} if options == "preset" else options
    rule = "text: a required text must hold at least one token; markup, blanks and control characters are none"
    required, optional = (mm.Text("text", max_tokens=4, optional=optional, **options) for optional in (False, True))
    model = mm.preprocessor([required])
    prepare = edge.Preprocess(describe(model, [])["inputs"])
    texts = NO_TOKENS[:-1] if "preset" in options else NO_TOKENS
    for text in texts:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{rule}.*example 1"):
            model({"text": tf.constant(["a", text])})
        with pytest.raises(ValueError, match=rule):
            prepare({"text": text})
    for _, own, theirs in both(optional, {"text": texts}):
        assert not own.any() and not theirs.any()


@pytest.mark.parametrize("options", [{"tokenizer": kind, "vocabulary": ("a", "é", "我", "end")} for kind in
                                     ("words", "wordpiece", "characters")] + ["preset"])  # fmt: skip
def test_of_a_long_text_the_same_beginning_is_read(options, preset):
    options = {"preset": str(preset)} if options == "preset" else options
    texts = [" " * 65_535 + "a end", " " * 65_535 + "é end", " " * 65_534 + "é end", " " * 65_533 + "我", "a " * 10**6,
             " " * 65_534 + "我 end", "a" * 70_000, "<b" + " " * 65_530 + ">end<a>", "é" * 65_536]  # fmt: skip
    spec = mm.Text("text", max_tokens=4, optional=True, **options)
    found = {name: own for name, own, theirs in both(spec, {"text": texts}) if (own == theirs).all()}
    assert len(found) == 2
    assert found["text_mask"].any(axis=1).tolist() == [True, False, True, True, True, False, True, True, True]


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def of_few_colours(bmp):
    """Its header says that only the first two colours of the palette are there."""
    return bmp[:46] + struct.pack("<I", 2) + bmp[50:]


def pictures():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (37, 53, 4), "uint8")
    smooth = np.kron(rng.integers(0, 256, (6, 8, 3), "uint8"), np.ones((20, 20, 1), "uint8"))
    rgb, rgba = Pillow.fromarray(noise[..., :3]), Pillow.fromarray(noise)
    exif = [Pillow.Exif() for _ in range(8)]
    for orientation, tags in enumerate(exif, 1):
        tags[0x0112] = orientation
    palette = rgb.quantize(16)
    return [
        encoded(rgb), encoded(rgba), encoded(rgb.convert("L")), encoded(rgb.convert("LA")), encoded(rgb.convert("1")),
        encoded(palette), encoded(palette, transparency=3), encoded(rgb.convert("L"), transparency=7),
        encoded(Pillow.fromarray((noise[..., 0].astype("uint16") << 8) + 77)),
        encoded(rgb, "BMP"), encoded(palette, "BMP"), encoded(rgb, "GIF"), encoded(palette, "GIF", transparency=3),
        encoded(rgb.convert("CMYK"), "JPEG"), of_few_colours(encoded(palette, "BMP")),
        encoded(rgb, "JPEG", exif=b"Exif\0\0JJ*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0" + bytes(4)),
        *[fuzz.png(rng, *kind, interlaced=kind[0] < 3, transparent=True) for kind in fuzz.PNG_KINDS],
        encoded(rgb.resize((16, 12))), encoded(rgb.resize((7, 5))), encoded(rgb.resize((3, 90))),
        encoded(rgb, "JPEG"), encoded(rgb.convert("L"), "JPEG"),
        *[encoded(Pillow.fromarray(smooth), "JPEG", exif=tags) for tags in exif],
        encoded(rgb, "JPEG", exif=b"Exif\0\0garbage garbage"), b"",
        encoded(rgb, "JPEG", restart_marker_blocks=1).replace(b"\xff\xd4", b"\xff\x14", 1),  # decoders skip it
    ]  # fmt: skip


@pytest.mark.parametrize(("resize", "channels"), [("stretch", 3), ("pad", 3), ("crop", 1)])
def test_pixels_are_the_same_within_one_level(resize, channels):
    spec = mm.Image("photo", size=(12, 16), channels=channels, resize=resize, optional=True)
    (_, own, theirs), (_, own_mask, mask) = both(spec, {"photo": pictures()})
    apart = np.abs(own.astype(int) - theirs).max(axis=(1, 2, 3))
    assert apart.max() <= 1, apart
    assert np.array_equal(own_mask, mask) and mask.sum() == len(mask) - 1


def wav(data, tag, bits, channels=1, rate=8000, size=None, extra=b"LIST\x03\0\0\0abc\0"):
    form = struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    head = b"WAVEfmt " + form + extra + b"data" + struct.pack("<I", len(data) if size is None else size)
    return b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data


def sounds():
    rng = np.random.default_rng(1)
    wave = rng.uniform(-1.2, 1.2, 3000).astype("<f4")
    numbers = rng.integers(-(2**15), 2**15, 3000).astype("<i2")
    rates = [wav(numbers.tobytes(), 1, 16, rate=rate) for rate in (8000, 16000, 44100, 11025, 5000, 22050)]
    return [
        *rates, wav(numbers.tobytes(), 1, 16, channels=2), wav(numbers[:7].tobytes(), 1, 16, rate=44100),
        wav(wave.tobytes(), 3, 32), wav(wave.astype("<f8").tobytes(), 3, 64, channels=3, rate=16000),
        wav(rng.bytes(3000), 1, 8), wav(rng.bytes(3000), 1, 24, extra=b""), wav(rng.bytes(3000), 1, 32),
        wav(numbers.tobytes(), 1, 16, size=0xFFFFFFFF), b"",
    ]  # fmt: skip


def test_waveforms_are_the_same():
    spec = mm.Audio("voice", seconds=0.1, sample_rate=8000, optional=True)
    (_, own, theirs), (_, own_mask, mask) = both(spec, {"voice": sounds()})
    assert np.abs(own - theirs).max(axis=1).max() < 1e-5
    assert np.array_equal(own_mask, mask) and mask.any(axis=1).sum() == len(mask) - 1


def test_rows_are_the_same():
    spec = mm.Table("meta", numeric=["age", "hour"], categorical=["room"], max_categories=4)
    learn = {"age": [1.0, 2.0, 9.0], "hour": [3.0, 3.0, 3.0], "room": ["attic", "Küche", "attic"]}
    raw = {"age": [5.0, np.nan, 3e38], "hour": [3.0, 4.0, np.nan], "room": ["Küche", "", "yard"]}
    for name, own, theirs in both(spec, raw, learn):
        assert np.allclose(own, theirs, rtol=1e-6), name


VOICE = edge.Audio("voice", samples=9, sample_rate=8000)
META = edge.Table("meta", numeric=["age"], mean=[0], std=[1])


@pytest.mark.parametrize(
    ("reader", "value", "message"),
    [
        (edge.Text("q", vocabulary=["[PAD]", "[UNK]"]), b"\xff", "q: text must be UTF-8. Received: bytes"),
        (edge.Text("q", vocabulary=["[PAD]", "[UNK]"]), "", "q: a required text must not be empty"),
        (edge.Image("photo", size=(4, 4)), None, "photo: a picture is needed"),
        (edge.Image("photo", size=(4, 4)), b"RIFFxxxxWAVE", "photo: a whole JPEG.* Received: 12 bytes"),
        (edge.Image("photo", size=(4, 4)), pictures()[0][:60], "photo: a whole JPEG.* cut off or damaged"),
        (VOICE, b"", "voice: a sound is needed"),
        (VOICE, "a.wav", "voice: a WAV file is needed. Received: str"),
        (VOICE, [0.0], "Received: list. Give the bytes of the file itself, or samples as a numpy array"),
        (VOICE, np.zeros((9, 2), "int16"), r"voice: samples are an array.* Received: shape \(9, 2\), int16"),
        (VOICE, np.arange(9.0), "voice: float samples are in .-1, 1.. Received: 0 to 8. Give 16-bit samples as int16"),
        (VOICE, np.array([np.nan, 1]), "voice: float samples are in"),
        (VOICE, np.zeros(0, "int16"), "voice: the array holds no samples"),
        (edge.Image("photo", size=(4, 4)), np.zeros((1, 4, 4, 3), "uint8"), r"pixels are an array \(h, w, 3\)"),
        (edge.Image("photo", size=(4, 4)), np.zeros((4, 4, 3)), r"Received: shape \(4, 4, 3\), float64"),
        (edge.Image("photo", size=(4, 4), max_pixels=15), np.zeros((4, 4, 3), "uint8"), "max_pixels=15 pixels"),
        (VOICE, sounds()[0][:90], "voice: the WAV file is cut off"),
        (VOICE, wav(b"", 1, 16), "voice: the WAV file holds no samples"),
        (VOICE, wav(b"12", 7, 8), "voice: only PCM .* Received: format tag 7"),
        (VOICE, wav(b"12", 1, 16, rate=0), "voice: a WAV file must have 1 or more channels"),
        (META, {"age": "old"}, "column 'age' holds finite numbers. Received: 'old'"),
        (META, {"age": 1e39}, "meta: column 'age' holds finite.* Received: 1e.39"),
        (META, {"age": 10**5000}, "column 'age' .* Received: an integer of 16,610"),
        (META, {"age": np.ones(2)}, "column 'age' .* Received: array"),
        (edge.Table("meta", categories={"c": ["a"]}), {"c": b"\xff"}, "meta: column 'c' holds categories: UTF-8 text"),
        (edge.Table("meta", categories={"c": ["a"]}), {"c": "\ud800"}, "column 'c' holds categories: UTF-8 text"),
        (edge.Table("meta", categories={"c": ["a"]}), {"c": np.array([1, 2])}, "column 'c' .* Received: array"),
        (edge.Table("meta", categories={"c": ["a"]}), {"c": 10**5000}, "column 'c' .* Received: an integer of 16,610"),
        (META, {}, "meta: a required row needs at least one value"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(reader, value, message):
    with pytest.raises(ValueError, match=message):
        reader(value)


def test_samples_and_pixels_are_prepared_as_their_files_are():
    rng = np.random.default_rng(5)
    numbers, colours = rng.integers(-(2**15), 2**15, 900).astype("int16"), rng.integers(0, 256, (9, 7, 3), "uint8")
    voice = edge.Audio("voice", samples=800, sample_rate=8000)
    photo, file = edge.Image("photo", size=(4, 5), channels=1, optional=True), io.BytesIO()
    Pillow.fromarray(colours).save(file, "PNG")
    sound = wav(numbers.tobytes(), 1, 16, rate=8000)
    others = [(voice, sound, numbers), (voice, sound, numbers / 2**15), (voice, sound, bytearray(sound)),
              (photo, file.getvalue(), colours), (photo, None, memoryview(b""))]  # fmt: skip
    for reader, value, other in others:
        for one, two in zip(reader(value).values(), reader(other).values(), strict=True):
            np.testing.assert_array_equal(one, two, strict=True)


def test_numbers_stand_for_categories_as_in_a_table():
    read = edge.Table("meta", categories={"zip": ["3", "True", "0.5"]}, optional=True)
    for value, wanted in ((3, 2), (3.0, 2), (np.float32(3), 2), (True, 3), (0.5, 4), (np.nan, 0), (None, 0), (b"", 0)):
        assert read({"zip": value})["meta"].tolist() == [[wanted]]


DAMAGED = {
    "checksum of pixels": (lambda f: f[:-20] + bytes([f[-20] ^ 1]) + f[-19:], "PNG", "checksum of its chunk IDAT"),
    "rows missing": (lambda f: with_height(f, 99), "PNG", "rows are missing"),
    "checksum of tRNS": (lambda f: f.replace(b"tRNS\0", b"tRNS\1"), "tRNS", "checksum of its chunk tRNS"),
    "length of tRNS": (lambda f: png_of(f, b"\0\1\2"), "PNG", "its transparency .the chunk tRNS. is damaged"),
    "zeros": (lambda f: f[:700] + bytes(100) + f[800:], "JPEG", "overwritten with zeros"),
    "a marker amid pixels": (lambda f: f[:-200] + b"\xff\x01\xff\xd8" * 50 + f[-2:], "JPEG", "cut off or damaged"),
    "cut bmp": (lambda f: f[:-1], "BMP", "the file is cut off"),
    "bmp of 16 bits": (lambda f: f[:28] + b"\x10" + f[29:], "BMP", "of 8, 24 or 32 bits"),
    "cut gif": (lambda f: f[:-9], "GIF", "do not lead to the mark of its end"),
    "many pixels": (lambda f: with_height(f, 48_000_000), "PNG", "max_pixels=48000000 .* 48000000 x 53 pixels"),
}


def png_of(file, transparency):
    """The file with that in a tRNS chunk behind its header."""
    return file[:33] + fuzz.chunk(b"tRNS", transparency) + file[33:]


def with_height(png, height):
    header = b"IHDR" + png[16:20] + struct.pack(">I", height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def test_the_limit_of_a_spec_is_that_of_the_device():
    spec = mm.Image("photo", size=(12, 16), max_pixels=37 * 53 - 1)
    (entry,) = describe(mm.preprocessor([spec]), [])["inputs"]
    with pytest.raises(ValueError, match="photo: a picture may have max_pixels=1960 .*Received: 37 x 53 pixels"):
        edge.Preprocess([entry])({"photo": pictures()[0]})


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pictures_are_refused_on_both_sides(name):
    damage, kind, message = DAMAGED[name]
    noise = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (37, 53, 3), "uint8"))
    options = {"transparency": (1, 2, 3)} if kind == "tRNS" else {}
    file = damage(encoded(noise, "PNG" if options else kind, **options))
    with pytest.raises(ValueError, match=f"photo: .*{message}"):
        edge.Image("photo", size=(4, 4))(file)
    with pytest.raises(tf.errors.InvalidArgumentError, match="photo"):
        mm.preprocess.DecodeImage((4, 4), name="photo_preprocess")(tf.constant([file]))


def test_an_unknown_name_is_refused():
    prepare = edge.Preprocess([{"kind": "text", "name": "q", "vocabulary": ["[PAD]", "[UNK]"]}])
    with pytest.raises(ValueError, match="Expected: \\['q'\\]. Received: \\['quest'\\]"):
        prepare({"quest": "what"})


def test_it_loads_neither_tensorflow_nor_keras():
    code = (
        "import sys, mmkeras.edge; print([m for m in ('tensorflow', 'keras', 'pandas', 'scipy') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
