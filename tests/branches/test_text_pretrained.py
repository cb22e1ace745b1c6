import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.branches import text

TEXTS = ["The film, badly good!", "", "unaffable 爱 éel", " \t "]


@pytest.fixture(scope="module")
def spec(preset):
    return mm.Text("review", max_tokens=8, preset=preset, optional=True)


@pytest.fixture(scope="module")
def ready(spec):
    return mm.preprocessor([spec])({"review": tf.constant(TEXTS)})


@pytest.fixture(scope="module")
def encoder(preset):
    import keras_nlp

    return keras_nlp.models.Backbone.from_preset(str(preset))


@pytest.mark.parametrize("pool", ["cls", "mean", None])
def test_it_is_the_encoder_of_the_preset(spec, ready, encoder, pool):
    tokens, mask = text.pretrained(spec, pool=pool)(ready)
    ids, real = ready.values()
    wanted = encoder({"token_ids": ids, "padding_mask": tf.cast(real, tf.int32), "segment_ids": tf.zeros_like(ids)})
    sequence, real = np.array(wanted["sequence_output"]), real.numpy()
    share = real[:, :, None] / np.maximum(real.sum(axis=1), 1)[:, None, None]
    by_pool = {"cls": wanted["pooled_output"][:, None], "mean": (sequence * share).sum(axis=1, keepdims=True)}
    there = [0, 2]
    for row in there:
        kept = real[row] if pool is None else slice(None)
        np.testing.assert_allclose(tokens[row][kept], by_pool.get(pool, sequence)[row][kept], atol=1e-5)
    assert mask.numpy().any(axis=1).tolist() == [True, False, True, False]


@pytest.fixture(scope="module")
def folder(preset, tmp_path_factory):
    """The encoder of the preset as a folder of Hugging Face."""
    import keras_nlp
    from safetensors.numpy import save_file

    encoder = keras_nlp.models.Backbone.from_preset(str(preset))
    layers = {layer.name: layer for layer in encoder.layers}
    names = {"word": "token", "position": "position", "token_type": "segment"}
    weights = {f"embeddings.{theirs}_embeddings.weight": layers[f"{ours}_embedding"].weights[0]
               for theirs, ours in names.items()}  # fmt: skip
    norms = {"embeddings": layers["embeddings_layer_norm"]}
    dense = {"pooler": layers["pooled_dense"]}
    for i in range(encoder.num_layers):
        block, name = layers[f"transformer_layer_{i}"], f"encoder.layer.{i}"
        heads = block._self_attention_layer
        dense |= {
            f"{name}.attention.self.{part}": getattr(heads, f"{part}_dense") for part in ("query", "key", "value")
        }
        dense |= {f"{name}.attention.output": heads.output_dense}
        dense |= {f"{name}.intermediate": block._feedforward_intermediate_dense}
        dense |= {f"{name}.output": block._feedforward_output_dense}
        norms |= {f"{name}.attention.output": block._self_attention_layer_norm}
        norms |= {f"{name}.output": block._feedforward_layer_norm}
    for name, layer in norms.items():
        weights |= {f"{name}.LayerNorm.weight": layer.gamma, f"{name}.LayerNorm.bias": layer.beta}
    for name, layer in dense.items():
        kernel, bias, name = np.array(layer.kernel), np.ravel(layer.bias), name + ".dense" * (".self." not in name)
        weights |= {f"{name}.weight": np.ascontiguousarray(kernel.reshape(-1, bias.size).T), f"{name}.bias": bias}
    arrays = {name: np.array(value) for name, value in weights.items()}
    folder = tmp_path_factory.mktemp("presets") / "hugging_face"
    folder.mkdir()
    save_file(arrays, folder / "model.safetensors")
    config = {"model_type": "bert", "vocab_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2,
              "hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 12,
              "hidden_act": "gelu_new"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    tokenizer = keras_nlp.models.Tokenizer.from_preset(str(preset))
    (folder / "vocab.txt").write_text("\n".join(tokenizer.get_vocabulary()), encoding="utf-8")
    return folder


def test_folders_of_hugging_face_have_the_gelu_that_they_ask_for(spec, ready, folder, tmp_path):
    ours = mm.Text("review", max_tokens=8, preset=folder, optional=True)
    again = mm.preprocessor([ours])({"review": tf.constant(TEXTS)})
    np.testing.assert_array_equal(again["review"][:2], ready["review"][:2])  # accents of the third are kept here
    wanted = text.pretrained(spec, pool=None)
    approximate = text.pretrained(ours, pool=None)
    np.testing.assert_allclose(approximate(ready)[0], wanted(ready)[0], atol=1e-6)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu"}))
    exact = text.pretrained(ours, pool=None)
    for x, kind in ((exact, "exact"), (approximate, "approximate")):
        blocks = [layer for layer in x._flatten_layers() if type(layer).__name__ == "TransformerEncoder"]
        given = {round(float(block.activation(tf.constant(2.0))), 5) for block in blocks}
        assert given == {{"exact": 1.95450, "approximate": 1.95460}[kind]} and len(blocks) == 2
        x.set_weights([20 * weight for weight in x.get_weights()])  # the initial ones are too small to tell them apart
    assert 1e-5 < np.abs(exact(ready)[0] - approximate(ready)[0]).max() < 0.5
    exact.save(tmp_path / "exact.keras")
    np.testing.assert_array_equal(mm.load_model(tmp_path / "exact.keras")(ready)[0], exact(ready)[0])


def test_weights_of_hugging_face_need_safetensors(folder, monkeypatch):
    from keras_hub.src.utils.transformers import safetensor_utils

    monkeypatch.setattr(safetensor_utils, "safetensors", None)
    with pytest.raises(ValueError, match=r"pip install 'mmkeras\[weights\]'"):
        text.pretrained(mm.Text("review", max_tokens=8, preset=folder))


def drops(branch):
    """The rates of all its dropouts."""
    return [layer.rate for layer in branch._flatten_layers() if isinstance(layer, keras.layers.Dropout)]


@pytest.mark.parametrize(("train", "trained"), [("all", {"embeddings", "0", "1"}), (1, {"1"}), ("none", set())])
def test_what_is_frozen_neither_learns_nor_drops(spec, ready, train, trained):
    branch = text.pretrained(spec, train=train, dropout=0.5, pool=None)
    names = {variable.path for variable in branch.trainable_variables}
    assert {name for name in ("0", "1") if any(f"transformer_layer_{name}" in path for path in names)} == trained - {
        "embeddings"
    }
    assert any("token_embedding" in path for path in names) == ("embeddings" in trained)
    quiet, loud = branch(ready), branch(ready, training=True)
    assert np.allclose(quiet[0][0], loud[0][0]) == (train == "none")
    assert set(drops(branch)) == {"all": {0.5}, 1: {0.0, 0.5}, "none": {0.0}}[train]


def test_what_was_frozen_is_frozen_in_the_file_too(spec, ready, tmp_path):
    head = mm.heads.classification("mood", ["a", "b"])
    model = mm.fusion_model([spec], {"review": text.pretrained(spec, train=1)}, mm.fusion.Concatenate(4), [head])
    optimizer = mm.train.discriminative("adam", model, {"review": 0.1})
    model.compile(optimizer, **mm.heads.compile_for([head]), run_eagerly=True)
    before = model.get_layer("review_branch").get_weights()
    model.train_on_batch(ready, {"mood": np.array([0, 1, 1, 0])})
    branch = model.get_layer("review_branch")
    moved = [not np.array_equal(a, b) for a, b in zip(before, branch.get_weights(), strict=True)]
    assert sum(moved) == len(branch.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = mm.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(ready)["mood"], model(ready)["mood"], atol=1e-6)
    assert len(again.trainable_variables) == len(model.trainable_variables)
    assert [float(v.numpy().sum()) for v in again.optimizer.variables] == pytest.approx(
        [float(v.numpy().sum()) for v in model.optimizer.variables], abs=1e-5
    )
    backbone = again.get_layer("review_branch").get_layer("backbone")
    again.trainable = False
    again.trainable = True
    assert len(again.trainable_variables) == len(model.trainable_variables)
    backbone.train = "all"
    assert len(again.trainable_variables) > len(model.trainable_variables)
    assert set(drops(backbone)) == {0.1}


def test_every_file_of_it_works_without_the_preset(spec, preset, convert_here, tmp_path):
    """SavedModel with strings, and LiteRT that a device asks with strings."""
    from mmkeras import edge

    heads = [mm.heads.classification("mood", ["a", "b"])]
    preprocess = mm.preprocessor([spec])
    model = mm.fusion_model([spec], {"review": text.pretrained(spec)}, mm.fusion.Concatenate(4), heads)
    preprocess.save(tmp_path / "preprocess.keras")
    preset.rename(tmp_path / "elsewhere")
    try:
        again = mm.load_model(tmp_path / "preprocess.keras")
        samples = {"review": TEXTS}
        report = mm.export.saved_model(again, model, tmp_path / "mood" / "1", heads=heads, samples=samples)
        assert "FastWordpieceTokenizeWithOffsets" in report["ops"]["tensorflow-text"]
        mm.export.litert(again, model, tmp_path / "mood.tflite", heads=heads, samples=samples, verbose=False)
    finally:
        (tmp_path / "elsewhere").rename(preset)
    device = edge.Model(tmp_path / "mood.tflite")
    expected = model(preprocess({"review": tf.constant(TEXTS)}))["mood"]
    for row, value in enumerate(TEXTS):
        np.testing.assert_allclose(device({"review": value})["mood_scores"], expected[row], atol=1e-5)


def test_errors(spec, preset, tmp_path):
    with pytest.raises(ValueError, match="text.pretrained needs a preset. Received: 'review' without one"):
        text.pretrained(mm.Text("review"))
    with pytest.raises(
        ValueError, match="(?s)A preset must be a name of keras-hub .*Received: '.*nowhere'.*save_to_preset"
    ):
        text.pretrained(mm.Text("review", preset=tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="has 12 positions. Received: max_tokens=13"):
        text.pretrained(mm.Text("review", max_tokens=13, preset=preset))
    with pytest.raises(ValueError, match='"all", "none", or how many of its 2 blocks.*Received: 3'):
        text.pretrained(spec, train=3)
    with pytest.raises(ValueError, match="pool of the branch of 'review'.*Received: 'last'"):
        text.pretrained(spec, pool="last")
    with pytest.raises(ValueError, match="ids of a preset's tokenizer are for text.pretrained"):
        text.lstm(spec)
    with pytest.raises(ValueError, match="uses the tokenizer of its preset.*Leave out tokenizer"):
        mm.Text("review", tokenizer="characters", preset=preset)
