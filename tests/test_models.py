import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

HEADS = [mm.heads.classification("kind", ["a", "b"])]


def test_files_load_in_a_process_that_has_imported_nothing_else(raw, preprocess, specs, tmp_path):
    branches = {
        "question": mm.branches.text.transformer(specs[0], dim=8, num_heads=2, num_layers=1),
        "meta": mm.branches.table.mlp(specs[3]),
    }
    model = mm.fusion_model([specs[0], specs[3]], branches, mm.fusion.Attention(8, num_heads=2), HEADS)
    model.save(tmp_path / "model.keras")
    preprocess.save(tmp_path / "preprocess.keras")
    batch = next(iter(raw.select(list(preprocess.input)).batch(4)))
    ready = {name: value.numpy() for name, value in preprocess(batch).items() if name in model.input}
    np.savez(tmp_path / "ready.npz", **ready)
    code = f"""
import mmkeras as mm, numpy as np
model, preprocess = (mm.load_model("{tmp_path}/" + name) for name in ("model.keras", "preprocess.keras"))
ready = dict(np.load("{tmp_path}/ready.npz"))
np.save("{tmp_path}/answers.npy", model.predict(ready, verbose=0)["kind"])
print(list(preprocess.output))
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(list(preprocess.output))
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), model.predict(ready, verbose=0)["kind"], atol=1e-6)


def test_order_of_branches_does_not_matter(specs):
    def build(names):
        keras.utils.set_random_seed(0)
        made = {"question": mm.branches.text.lstm(specs[0], units=4), "meta": mm.branches.table.mlp(specs[3])}
        return mm.fusion_model(
            [specs[0], specs[3]], {name: made[name] for name in names}, mm.fusion.Concatenate(4), HEADS
        )

    rng = np.random.default_rng(0)
    feed = {
        "question": rng.integers(0, 9, (3, 5)).astype("int32"),
        "question_mask": np.ones((3, 5), bool),
        "meta": rng.normal(size=(3, 2)).astype("float32") ** 0,
        "meta_mask": np.ones((3, 2), bool),
    }
    one, two = build(["question", "meta"]), build(["meta", "question"])
    np.testing.assert_array_equal(one(feed)["kind"], two(dict(reversed(feed.items())))["kind"])


def test_branches_must_fit_the_specs(specs):
    branch = mm.branches.text.lstm(specs[0], units=4)
    with pytest.raises(ValueError, match=r"Unknown: \['questoin' Did you mean 'question'\?\]"):
        mm.fusion_model(specs[:1], {"questoin": branch}, mm.fusion.Concatenate(4), HEADS)
    with pytest.raises(TypeError, match=r"for mm.Text specs. Received: Image.*Use mmkeras.branches.image"):
        mm.branches.text.lstm(specs[1])
    with pytest.raises(ValueError, match="Heads need unique names"):
        mm.fusion_model(specs[:1], {"question": branch}, mm.fusion.Concatenate(4), HEADS * 2)
    with pytest.raises(ValueError, match=r"halves the image of 'photo'. Received: size=\(24, 24\)"):
        mm.branches.image.conv2d(specs[1], filters=(4,) * 5)
    with pytest.raises(ValueError, match="pool of the branch of 'question' must be one of"):
        mm.branches.text.lstm(specs[0], pool="max")


@pytest.mark.parametrize("kind", ["image", "vector"])
def test_specs_may_share_a_branch(kind, tmp_path):
    make = {"image": lambda name: mm.Image(name, size=(8, 8)), "vector": lambda name: mm.Vector(name, size=3)}[kind]
    specs = [make("left"), make("right")]
    build = {"image": lambda: mm.branches.image.conv2d(specs[1], filters=(4,)),
             "vector": lambda: mm.branches.vector.linear(specs[1], dim=4)}[kind]  # fmt: skip
    branch, rng = build(), np.random.default_rng(0)
    model = mm.fusion_model(specs, {"left": branch, "right": branch}, mm.fusion.Concatenate(4), HEADS)
    weights = [weight.path for weight in model.trainable_weights]
    assert len(weights) == len(branch.trainable_weights) + 2 + 2  # two weights each of the fusion and the head
    x = {
        name: rng.integers(1, 200, (4, *tensor.shape[1:])).astype(tensor.dtype) for name, tensor in model.input.items()
    }
    model.compile("sgd", **mm.heads.compile_for(HEADS))
    batches = tf.data.Dataset.from_tensor_slices((x, {"kind": np.array([0, 1, 1, 0])})).batch(2)
    model.fit(batches, verbose=0, callbacks=mm.train.callbacks(tmp_path, monitor="loss"))
    model.save(tmp_path / "model.keras")
    expected = model.predict(x, verbose=0)["kind"]
    assert np.abs(expected - expected[:1]).max() > 1e-6
    for name in ("model.keras", "best.keras"):
        np.testing.assert_array_equal(mm.load_model(tmp_path / name).predict(x, verbose=0)["kind"], expected)


def test_a_branch_of_another_spec_is_refused():
    left, right, small = mm.Vector("left", size=3), mm.Vector("right", size=3), mm.Vector("small", size=2)
    branches = {spec.name: mm.branches.vector.linear(spec, dim=4) for spec in (left, right, small)}
    swapped = {"left": branches["right"], "right": branches["left"]}
    message = "under 'left', the branch of 'right'. Are the two swapped\\? Build one for 'left'"
    with pytest.raises(ValueError, match=message):
        mm.fusion_model([left, right], swapped, mm.fusion.Concatenate(4), HEADS)
    with pytest.raises(ValueError, match=r"for spec 'small'.*make the specs alike"):
        both = {"left": branches["left"], "small": branches["left"]}
        mm.fusion_model([left, small], both, mm.fusion.Concatenate(4), HEADS)
