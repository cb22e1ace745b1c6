import pytest
from tensorflow.core.protobuf import saved_model_pb2

from mmkeras.export.ops import check_ops, used_ops


@pytest.fixture
def folder(tmp_path):
    saved = saved_model_pb2.SavedModel()
    graph = saved.meta_graphs.add().graph_def
    graph.node.add(name="add", op="AddV2")
    graph.node.add(name="call", op="decode_fn")  # a function called as a node
    function = graph.library.function.add()
    function.signature.name = "decode_fn"
    function.node_def.add(name="flac", op="IO>AudioDecodeFlac")
    function.node_def.add(name="lstm", op="CudnnRNNV3")
    function.node_def.add(name="python", op="EagerPyFunc")
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return tmp_path


def test_used_ops_reads_graph_and_functions(folder):
    assert used_ops(folder) == {
        "AddV2": ["add"],
        "CudnnRNNV3": ["decode_fn/lstm"],
        "EagerPyFunc": ["decode_fn/python"],
        "IO>AudioDecodeFlac": ["decode_fn/flac"],
    }


def test_check_ops_names_each_offender_and_its_place(folder):
    owners = dict.fromkeys(("AddV2", "CudnnRNNV3", "EagerPyFunc"), "tensorflow") | {"IO>AudioDecodeFlac": None}
    with pytest.raises(ValueError, match="may hold only ops") as error:
        check_ops(used_ops(folder), owners)
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    for op, reason, place in (("Cudnn", "GPUs only", "lstm"), ("Eager", "Python", "python"), ("IO>", "-io", "flac")):
        assert any(op in line and reason in line and f"decode_fn/{place}" in line for line in lines)


def test_check_ops_passes_text_ops():
    check_ops({"CaseFoldUTF8": ["x"]}, {"CaseFoldUTF8": "tensorflow-text"})


def test_what_the_serving_process_would_compile_is_refused():
    with pytest.raises(ValueError, match="XlaDynamicUpdateSlice: .*ops.slice_update with ops.where. Found at step/put"):
        check_ops({"XlaDynamicUpdateSlice": ["step/put"]}, {"XlaDynamicUpdateSlice": "tensorflow"})
