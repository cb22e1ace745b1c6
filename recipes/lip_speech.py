"""Writes down sentences that were said, from the voice, the lips, or both, also where it is loud (GRID, one talker).

    python recipes/lip_speech.py --data grid-s1

Word error rates on the 149 test clips, without noise: both 0.038 (0.026 to 0.053), voice alone 0.083, lips alone 0.149,
of one model with either input hidden now and then.

The set is talker 1 of the GRID corpus (Cooke et al. 2006): train.tsv and test.tsv (id, frames, sentence),
PART_audio.zip (ID.wav, 8 kHz) and PART_lips.zip (ID.jpg, a sheet of grey frames, 10 a row), which this recipe cuts.
40 ms of sound lie beside each frame. Validation clips are drawn at random from the training clips.
"""

import argparse
import io
import json
import logging
import os
import time
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import pandas as pd
import rich.table
import tensorflow as tf
from PIL import Image

import mmkeras as mm
from mmkeras.branches import audio, video
from mmkeras.layers import SpecAugment

# Maximum frames per clip; audio samples per second; height and width of a frame.
FRAMES, RATE, TALL, WIDE = 64, 8000, 48, 72
KINDS = ("white", "babble")


def clips(folder, part):
    """The table of a part: a WAV file and a ZIP of frames, both as bytes; of training, which word is said when."""
    frame = pd.read_csv(Path(folder, f"{part}.tsv"), sep="\t", dtype=str, keep_default_na=False)
    voices, sheets = (zipfile.ZipFile(Path(folder, f"{part}_{kind}.zip")) for kind in ("audio", "lips"))
    frame["voice"] = [voices.read(f"{name}.wav") for name in frame["id"]]
    counts = zip(frame["id"], frame["frames"].astype(int), strict=True)
    frame["lips"] = [cut(sheets.read(f"{name}.jpg"), count) for name, count in counts]
    if part == "train":
        frame["moments"] = [words_of_frames(intervals) for intervals in frame["word_frames"]]
    return frame


def words_of_frames(intervals):
    """ "bin:3.75-9.50 blue:9.50-14.00 ..." -> the number of the word that is said in each frame, 0 where none is."""
    ends = [part.rpartition(":")[2].split("-") for part in intervals.split()]
    times = np.arange(FRAMES) + 0.5
    return sum(i * ((float(start) <= times) & (times < float(end))) for i, (start, end) in enumerate(ends, 1))


def cut(sheet, count):
    """A sheet of frames, 10 a row -> a ZIP file of them."""
    picture, memory = Image.open(io.BytesIO(sheet)).convert("L"), io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for i in range(count):
            left, top, frame = i % 10 * WIDE, i // 10 * TALL, io.BytesIO()
            picture.crop((left, top, left + WIDE, top + TALL)).save(frame, "PNG", compress_level=1)
            # Without a timestamp, so equal frames give equal bytes.
            archive.writestr(zipfile.ZipInfo(f"{i:02d}.png"), frame.getvalue())
    return memory.getvalue()


def with_noise(voice, others, kind, ratio, rng):
    """A WAV file with noise, of as many decibels less than the voice: white, or babble of three other voices."""
    wave = samples(voice)
    noise = rng.normal(size=len(wave)) if kind == "white" else sum(np.resize(samples(o), len(wave)) for o in others)
    mixed = wave + noise * np.sqrt(np.mean(wave**2) / np.mean(noise**2) / 10 ** (ratio / 10))
    mixed = mixed / max(1.0, np.abs(mixed).max())
    return tf.audio.encode_wav(mixed[:, None].astype("float32"), RATE).numpy()


def samples(voice):
    return tf.audio.decode_wav(voice)[0].numpy()[:, 0].astype("float64")


def in_noise(frame, kind, ratio, seed=0):
    """The same table with noisy voices."""
    rng, voices = np.random.default_rng(seed), frame["voice"].tolist()
    others = [[voices[j] for j in rng.choice(len(voices), 3, replace=False) if j != i] for i in range(len(voices))]
    noisy = [with_noise(*pair, kind, ratio, rng) for pair in zip(voices, others, strict=True)]
    return frame.assign(voice=noisy)


def disturbed(ready, labels, seed):
    """Voices of a batch in noise of -10 to 20 dB, white or babble of the batch's other clips; some lips mirrored."""
    wave, mask = ready["voice"], ready["voice_mask"]
    draws = tf.random.stateless_uniform([4, tf.shape(wave)[0], 1], seed)
    noise = tf.random.stateless_normal(tf.shape(wave), seed)
    babble = sum(tf.roll(wave, places, axis=0) for places in (1, 2, 3))
    noise = tf.where(mask, tf.where(draws[0] < 0.5, noise, babble), 0.0)
    power = tf.reduce_sum(wave**2, 1, keepdims=True) / (tf.reduce_sum(noise**2, 1, keepdims=True) + 1e-9)
    gain = tf.sqrt(power / 10 ** ((draws[1] * 30 - 10) / 10)) * tf.cast(draws[2] < 0.7, tf.float32)
    mixed = wave + gain * noise
    mixed /= tf.maximum(1.0, tf.reduce_max(tf.abs(mixed), axis=1, keepdims=True))
    mirrored = tf.where(draws[3][:, :, None, None, None] < 0.5, ready["lips"], ready["lips"][:, :, :, ::-1])
    return ready | {"voice": mixed, "lips": mirrored}, labels


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    out = Path(args.out or ("runs/lip_speech-smoke" if args.smoke else "runs/lip_speech"))
    first = max(1, round(0.4 * args.epochs))
    data = Path(args.data or mm.data.generate.lookalikes.lip_speech(out / "data", seed=args.seed))

    # 1. What goes in and what comes out.
    voice = mm.Audio("voice", seconds=FRAMES * 0.04, sample_rate=RATE, optional=True)
    lips = mm.Video("lips", frames=FRAMES, size=(TALL // 2, WIDE // 2), channels=1, optional=True)
    specs, moments = [voice, lips], mm.Vector("moments", size=FRAMES)
    heads = [mm.heads.transcription("sentence", max_tokens=12, dropout=0.1)]

    # 2. Tables; the words are learned from the training sentences.
    raw = mm.data.from_dataframe(clips(data, "train"), [*specs, moments], heads)
    raw_train, raw_valid = mm.data.split(raw, (0.9, 0.1), seed=args.seed)
    heads, preprocess = mm.heads.adapt(heads, raw_train), mm.preprocessor(specs)
    with_moments = mm.preprocessor([*specs, moments])
    train = mm.data.train_batches(
        raw_train, with_moments, heads, batch_size=16, seed=args.seed, cache="memory", augment=disturbed
    )
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, cache="memory")

    # 3. Convolutions see and hear 40 ms each; GRUs read both step by step. First, each step is trained to give its
    # word, which learns many times faster than whole sentences; then CTC takes over and finds the alignment itself.
    def by_moments(model):
        def told(x, y):
            words = tf.pad(y["sentence"], [[0, 0], [1, 0]])
            words = tf.gather(words, tf.cast(x["moments"], tf.int32), batch_dims=1)
            return {name: x[name] for name in model.input}, {"sentence": words[:, : model.output["sentence"].shape[1]]}

        return train.map(told)

    def compiled(model, rate, epochs, **arguments):
        rate = keras.optimizers.schedules.CosineDecay(rate, epochs * len(train))
        with mm.distribute.strategy().scope():
            model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=5.0), **arguments)

    keras.utils.set_random_seed(args.seed)
    with mm.distribute.strategy().scope():
        cover = SpecAugment(bands=2, band_width=6, time_masks=2, time_mask_width=8, seed=args.seed)
        hear = audio.crnn(voice, filters=(24, 32, 48), pool_sizes=((2, 2), (2, 2), (1, 2)), num_layers=0, mel_bands=40,
                          dropout=0.1, spec_augment=cover)  # fmt: skip
        see = video.frames(lips, filters=(16, 24, 32), units=128, num_layers=0, dropout=0.1)
        model = mm.transcriber(specs, {"voice": hear, "lips": see}, heads, dropout=0.2, modality_dropout=0.2)
    run_dir = out / "training" / f"{len(raw_train.frame)}-clips-{args.epochs}-epochs-seed-{args.seed}"
    by_word = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled(model, 3e-3, first, loss={"sentence": by_word})
    callbacks = mm.train.callbacks(run_dir / "moments", train, monitor="loss", patience=None)
    model.fit(by_moments(model), epochs=first, callbacks=callbacks, shuffle=False, verbose=2)
    compiled(model, 1e-3, args.epochs, **mm.heads.compile_for(heads))
    shown = mm.train.SampleAnswers(valid, every=10, path=run_dir / "samples.csv")
    callbacks = mm.train.callbacks(run_dir, train, monitor="val_sentence_wer", patience=None, others=[shown])
    own_train = mm.data.select_inputs(train, model)
    model.fit(own_train, validation_data=valid, epochs=args.epochs, callbacks=callbacks, shuffle=False, verbose=2)

    # 4. Word error rates on unseen sentences: clean, in noise as loud as the voice, and in noise four times as loud.
    def scored(frame, **where):
        batches = mm.data.eval_batches(mm.data.from_dataframe(frame, specs, heads), preprocess, heads, batch_size=32)
        return mm.evaluate.report(model, batches, name="both", specs=specs, **where)

    def in_every_noise(frame):
        found = {f"{kind}, {ratio} dB": scored(in_noise(frame, kind, ratio)) for kind in KINDS for ratio in (0, -6)}
        return {noise: mm.evaluate.summary(each) for noise, each in found.items()}

    test = clips(data, "test")
    found = scored(test, out_dir=out / "evaluation", train=raw_train)
    scores, noisy = mm.evaluate.summary(found), in_every_noise(test)
    if args.test:
        other = clips(args.test, "test")
        scores["other_test"] = mm.evaluate.summary(scored(other)) | {"noise": in_every_noise(other)}

    # 5. Files in, text out. The exports are kept only if processes without mmkeras give the same answers.
    raw_test = mm.data.from_dataframe(test, specs, heads)
    export = mm.export.saved_model(preprocess, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    device = mm.export.litert(preprocess, model, f"saved_models/{out.name}.tflite", quantize="float16",
                              samples=raw_test, overwrite=True, verbose=False)  # fmt: skip
    report = {
        **scores,
        "noise": noisy,
        "parity_max_abs": export["largest_difference"],
        "litert": {"kib": device["bytes"] / 1024, "agreement": device["agreement"]["litert"]["sentence"]},
        "n_train": len(raw_train.frame),
        "skipped": len(found["skipped"]),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time(), 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rich.print("", mm.evaluate.table(found), _errors_in_noise(scores, noisy))
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


def _errors_in_noise(scores, noisy):
    """A row of word error rates for each noise."""
    rows = {"clean": scores} | noisy
    shown = rich.table.Table("word error rate", "both", *scores["subsets"])
    for noise, found in rows.items():
        shown.add_row(noise, *(f"{value:.3f}" for value in [found["wer"], *found["subsets"].values()]))
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="another folder to score: test.tsv, test_audio.zip and test_lips.zip")
    parser.add_argument("--out", help="folder of the run, runs/lip_speech by default; it names the export")
    parser.add_argument("--epochs", type=int, default=40, help="with sentences; 0.4 times as many by moments before")
    parser.add_argument("--seed", type=int, default=0, help="of order, noise and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs = 1
    main(arguments)
