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
import rich
import tensorflow as tf
from PIL import Image

import mmkeras as mm
from mmkeras.branches import audio, video
from mmkeras.layers import SpecAugment

# Maximum frames per clip; audio samples per second; height and width of a frame.
FRAMES, RATE, TALL, WIDE = 64, 8000, 48, 72
NOISES = [(kind, ratio) for kind in ("white", "babble") for ratio in (0, -6)]


def clips(folder, part):
    """The table of a part: a WAV file and a ZIP of frames, both as bytes; of training, which word is said when."""
    frame = pd.read_csv(Path(folder, f"{part}.tsv"), sep="\t", dtype=str, keep_default_na=False)
    voices, sheets = (zipfile.ZipFile(Path(folder, f"{part}_{kind}.zip")) for kind in ("audio", "lips"))
    frame["voice"] = [voices.read(f"{name}.wav") for name in frame["id"]]
    counts = zip(frame["id"], frame["frames"].astype(int), strict=True)
    frame["lips"] = [cut(sheets.read(f"{name}.jpg"), count) for name, count in counts]
    frame["spoken"] = [words_of_frames(said) for said in frame["word_frames"]] if part == "train" else None
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
            archive.writestr(zipfile.ZipInfo(f"{i:02d}.png"), frame.getvalue())  # no timestamp: equal bytes each time
    return memory.getvalue()


def noise_of(kind, wave, seed):
    """White noise, or babble: three other voices of the batch at once."""
    if kind == "white":
        return tf.random.stateless_normal(tf.shape(wave), seed)
    return sum(tf.roll(wave, places, axis=0) for places in (1, 2, 3))


def noisy(ready, noise, ratio):
    """The voices (B, S) of a batch with noise at a signal-to-noise ratio in dB, a number or (B, 1)."""
    wave, noise = ready["voice"], tf.where(ready["voice_mask"], noise, 0.0)
    power, own = (tf.reduce_sum(each**2, axis=1, keepdims=True) for each in (wave, noise))
    mixed = wave + noise * tf.sqrt(tf.math.divide_no_nan(power, own) / 10 ** (ratio / 10))
    return ready | {"voice": mixed / tf.maximum(1.0, tf.reduce_max(tf.abs(mixed), axis=1, keepdims=True))}


def in_noise(batches, kind, ratio, seed):
    """For testing: all voices in one noise."""
    return batches.map(lambda x, y: (noisy(x, noise_of(kind, x["voice"], (seed, 1)), ratio), y))


def disturbed(ready, labels, seed):
    """For training: 7 of 10 voices in either noise at -10 to 20 dB, half of the lips mirrored."""
    wave, lips = ready["voice"], ready["lips"]
    kind, ratio, share, mirrored = tf.unstack(tf.random.stateless_uniform([4, tf.shape(wave)[0], 1], seed))
    noise = tf.where(kind < 0.5, noise_of("white", wave, seed), noise_of("babble", wave, seed))
    ready = noisy(ready, tf.where(share < 0.7, noise, 0.0), 30 * ratio - 10)
    return ready | {"lips": tf.where(mirrored[:, :, None, None, None] < 0.5, lips, lips[:, :, :, ::-1])}, labels


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/lip_speech-smoke" if args.smoke else "runs/lip_speech"))
    data = Path(args.data or mm.data.generate.lookalikes.lip_speech(out / "data", seed=args.seed))

    # 1. What goes in and what comes out; in training also which word is spoken in each frame.
    voice = mm.Audio("voice", seconds=FRAMES * 0.04, sample_rate=RATE, optional=True)
    lips = mm.Video("lips", frames=FRAMES, size=(TALL // 2, WIDE // 2), channels=1, optional=True)
    specs, spoken = [voice, lips], mm.Vector("spoken", size=FRAMES, optional=True)
    heads = [mm.heads.transcription("sentence", max_tokens=12, dropout=0.1)]

    # 2. Tables; the words are learned from the training sentences.
    def read(folder, part):
        return mm.data.from_dataframe(clips(folder, part), [*specs, spoken], heads)

    raw_train, raw_valid = mm.data.split(read(data, "train"), (0.9, 0.1), seed=args.seed)
    raw_test, preprocess = read(data, "test"), mm.preprocessor([*specs, spoken])
    heads = mm.heads.adapt(heads, raw_train)
    train = mm.data.train_batches(raw_train, preprocess, heads, batch_size=16, seed=args.seed, cache="memory",
                                  augment=disturbed)  # fmt: skip
    valid = mm.data.eval_batches(raw_valid, preprocess, heads, cache="memory")

    # 3. Convolutions see and hear 40 ms each; GRUs read both step by step.
    with mm.distribute.strategy().scope():
        cover = SpecAugment(bands=2, band_width=6, time_masks=2, time_mask_width=8, seed=args.seed)
        hear = audio.crnn(voice, filters=(24, 32, 48), pool_sizes=((2, 2), (2, 2), (1, 2)), num_layers=0, mel_bands=40,
                          dropout=0.1, spec_augment=cover)  # fmt: skip
        see = video.frames(lips, filters=(16, 24, 32), units=128, num_layers=0, dropout=0.1)
        model = mm.transcriber(specs, {"voice": hear, "lips": see}, heads, dropout=0.2, modality_dropout=0.2)

    # 4. First, each time step is trained to give its word, which learns many times faster than whole sentences; then
    # CTC takes over and finds the alignment itself.
    def by_frames(x, y):
        words = tf.gather(tf.pad(y["sentence"], [[0, 0], [1, 0]]), tf.cast(x["spoken"], tf.int32), batch_dims=1)
        return {name: x[name] for name in model.input}, {"sentence": words[:, : model.output["sentence"].shape[1]]}

    def fit(folder, batches, rate, epochs, monitor, *others, valid=None, **losses):
        with mm.distribute.strategy().scope():
            adam = mm.train.adamw(train, epochs=epochs, peak=rate, warmup=0.0, weight_decay=1e-4, clipnorm=5.0)
            model.compile(adam, **losses)
        callbacks = mm.train.callbacks(folder, train, monitor=monitor, patience=None, others=others)
        model.fit(batches, validation_data=valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)

    run_dir = out / "training" / f"{len(raw_train.frame)}-clips-{args.epochs}-epochs-seed-{args.seed}"
    by_word = {"sentence": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    fit(run_dir / "by_frames", train.map(by_frames), 3e-3, max(1, round(0.4 * args.epochs)), "loss", loss=by_word)
    shown = mm.train.SampleAnswers(valid, every=10, path=run_dir / "samples.csv")
    fit(run_dir, mm.data.select_inputs(train, model), 1e-3, args.epochs, "val_sentence_wer", shown,
        valid=mm.data.select_inputs(valid, model), **mm.heads.compile_for(heads))  # fmt: skip

    # 5. Word error rates on unseen sentences: clean, in noise as loud as the voice, and in noise four times as loud.
    def scored(raw, **where):
        clean = mm.data.eval_batches(raw, preprocess, heads, batch_size=32, cache="memory")
        found = {"clean": mm.evaluate.report(model, clean, name="both", specs=specs, **where)}
        for kind, ratio in NOISES:
            loud = in_noise(clean, kind, ratio, args.seed)
            found[f"{kind}, {ratio} dB"] = mm.evaluate.report(model, loud, name="both", specs=specs)
        scores = {noise: mm.evaluate.summary(each) for noise, each in found.items()}
        return found, scores.pop("clean") | {"noise": scores}

    found, scores = scored(raw_test, out_dir=out / "evaluation", train=raw_train)
    if args.test:
        _, scores["other_test"] = scored(read(args.test, "test"))

    # 6. Files in, text out. The exports are kept only if processes without mmkeras give the same answers.
    serve = mm.preprocessor(specs)
    export = mm.export.saved_model(serve, model, f"saved_models/{out.name}", samples=raw_test, version="next")
    device = mm.export.litert(serve, model, f"saved_models/{out.name}.tflite", quantize="float16",
                              samples=raw_test, overwrite=True, verbose=False)  # fmt: skip
    report = {
        **scores,
        "parity_max_abs": export["largest_difference"],
        "litert": {"kib": device["bytes"] / 1024, "agreement": device["agreement"]["litert"]["sentence"]},
        "n_train": len(raw_train.frame),
        "skipped": len(found["clean"]["skipped"]),
        "export": export["path"],
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time(), 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rows = {f"{row}, {noise}": score for noise, each in found.items() for row, score in each["models"].items()}
    rich.print("", mm.evaluate.table({"models": rows}))
    print(f"Written: {out}/report.json, training/, evaluation/; {export['path']}; {report['seconds']:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of the set; without it a tiny one is generated")
    parser.add_argument("--test", help="another folder to score: test.tsv, test_audio.zip and test_lips.zip")
    parser.add_argument("--out", help="folder of the run, runs/lip_speech by default; it names the export")
    parser.add_argument("--epochs", type=int, default=40, help="with sentences; 0.4 times as many by frames before")
    parser.add_argument("--seed", type=int, default=0, help="of order, noise and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.epochs = 1
    main(arguments)
