"""What a device makes of a text for BERT is what keras-hub's tokenizer makes of it in the graph."""

import json
import random
import unicodedata

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from mmkeras import edge
from mmkeras.contract import NamedModel
from mmkeras.export._litert.package.describe import describe
from mmkeras.preprocess import PresetIds

TEXTS = ["", " \t ", "Hello, World!", "<p>a<br />b</p>&nbsp;c", "ﬁne Ⅳ ½ Ａ Straße ÉCOLE İ ς Σ", "e\u0301 ñ \u0344 ΐ",
         "a\u200db c\x00d\te\u3000f\u00a0g\u2028h\x0bi", "我爱北京 カタカナ\uf900漢字 한국어 हिन्दी ที่ดี",
         "__ed_m ^$`~ «q» … ‽", "x" * 101,
         "unaffable untouchable ##aff [CLS] [MASK]", "👩‍👩‍👧 emoji ❤️", "ab " * 40, "\u00ad\u034f\ufe0f"]  # fmt: skip


def odd_texts(n):
    draw = random.Random(1)
    ranges = [(32, 126), (0xA0, 0x24F), (0x300, 0x3FF), (0x400, 0x5FF), (0x900, 0xE7F), (0x1E00, 0x2BFF),
              (0x3000, 0x30FF), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xF900, 0xFFEF), (0x1F300, 0x1F6FF)]  # fmt: skip
    known = [
        chr(i) for low, high in ranges for i in range(low, high) if unicodedata.category(chr(i)) not in ("Cn", "Co")
    ]
    return ["".join(draw.choices(known + [" "] * 400, k=40)) for _ in range(n)]


def vocabulary(texts):
    """Most single characters of the texts after every normalisation there is, first ones and later ones."""
    folded = [unicodedata.normalize(form, case(text)) for text in texts for form in ("NFC", "NFD", "NFKC", "NFKD")
              for case in (str, str.casefold)]  # fmt: skip
    signs = sorted({sign for text in folded for sign in text if not sign.isspace()})
    kept = [sign for i, sign in enumerate(signs) if i % 11]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", *kept, *(f"##{s}" for s in kept)]


@pytest.mark.parametrize("options", [
    {"lowercase": True, "strip_accents": True}, {"lowercase": True}, {"strip_accents": True}, {},
], ids=str)  # fmt: skip
def test_ids_are_the_same(options):
    texts = TEXTS + odd_texts(300)
    strings = keras.Input((), dtype="string", name="text")
    tokenizer = keras_nlp.models.BertTokenizer(vocabulary(texts), **options)
    outputs = PresetIds(30, tokenizer=tokenizer, optional=True, name="text_preprocess")(strings)
    model = NamedModel({"text": strings}, dict(zip(("text", "text_mask"), outputs, strict=True)))
    prepare = edge.Preprocess(json.loads(json.dumps(describe(model, [])))["inputs"])
    own = [prepare({"text": text}) for text in texts]
    for name, theirs in model({"text": tf.constant(texts)}).items():
        ours = np.concatenate([row[name] for row in own])
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.numpy().dtype)
        assert [texts[i] for i in np.flatnonzero((ours != theirs.numpy()).any(axis=1))] == []
    assert (np.concatenate([row["text"] for row in own]) > 4).mean() > 0.4


def test_special_tokens_in_strings_are_left_to_others():
    tokenizer = keras_nlp.models.BertTokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"], special_tokens_in_strings=True
    )
    strings = keras.Input((), dtype="string", name="text")
    ids, mask = PresetIds(8, tokenizer=tokenizer, name="text_preprocess")(strings)
    described = describe(NamedModel({"text": strings}, {"text": ids, "text_mask": mask}), [])
    assert described["unprepared"] == ["text", "text_mask"]
