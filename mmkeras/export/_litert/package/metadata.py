"""What the file says of itself: LiteRT metadata for viewers, and the files that `mmkeras.edge` reads, packed into it.

A file with metadata is a flatbuffer and, behind it, a zip archive: `unzip model.tflite` gives the associated files.
Source: the TensorFlow Lite metadata specification (metadata_schema.fbs, identifier M001).
"""

import io
import json
import zipfile
from pathlib import Path

import flatbuffers

from mmkeras import edge

_LABELS, _VOCABULARY = 2, 5  # AssociatedFileType: TENSOR_AXIS_LABELS, VOCABULARY


def pack(path, name, version, description):
    """Writes metadata and associated files into a .tflite file, in place.

    Args:
        path: of the file, as the converter left it.
        name, version: of the model, strings.
        description: dict of `describe`; it becomes `preprocess.json`, with `NAME.vocabulary.txt` for each text and
            `NAME.labels.txt` for each classification beside it, one token or class per line, for other readers.
    """
    from ai_edge_litert import schema_py_generated as schema

    path, files = Path(path), associated_files(description)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    data = _model_metadata(name, version, description, _order(model), files)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = data
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = _Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()) + _archive(files))


class _Builder(flatbuffers.Builder):
    """Puts bytes at multiples of 16, as the converter does: weights are read in place."""

    def StartVector(self, elemSize, numElems, alignment):
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)


def associated_files(description):
    """Name -> text of every file that is packed in."""
    files = {"preprocess.json": json.dumps(description, ensure_ascii=False, indent=1)}
    for entry in description["inputs"] + description["outputs"]:
        for key, suffix in (("vocabulary", "vocabulary"), ("classes", "labels")):
            if key in entry:
                files[f"{entry['name']}.{suffix}.txt"] = "\n".join(entry[key])
    return files


def _archive(files):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:  # uncompressed, so that a phone can memory-map it
        for name, text in files.items():
            # A fresh ZipInfo has no timestamp, so every export gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name), text)
    return memory.getvalue()


def _order(model):
    """Names of inputs and outputs in the order of the graph's tensors, which metadata follow."""
    signature = model.signatureDefs[0]
    graph = model.subgraphs[signature.subgraphIndex]

    def names(tensors, entries):
        known = {entry.tensorIndex: entry.name.decode() for entry in entries}
        return [known[index] for index in tensors]

    return names(graph.inputs, signature.inputs), names(graph.outputs, signature.outputs)


def _meaning(entry):
    """Description of a tensor by the kind of its modality or head."""
    kind = entry["kind"]
    sentence = edge.KINDS[kind].meaning if kind in edge.KINDS else vars(edge.ANSWERS[kind]).get("MEANING", "{kind}")
    return sentence.format(**entry)[:1000]


def _tensor_descriptions(names, entries):
    known = {entry["name"]: entry for entry in entries}
    for name in names:
        entry = known.get(name)
        if entry:
            yield name, _meaning(entry)
        elif name.endswith("_mask"):
            yield name, f"true where '{name.removesuffix('_mask')}' is present"
        else:
            yield name, "ready tensor, which mmkeras.edge cannot prepare"


def _model_metadata(name, version, description, order, files):
    """The ModelMetadata flatbuffer."""
    builder = flatbuffers.Builder(1024)
    sides = []
    for names, entries in zip(order, (description["inputs"], description["outputs"]), strict=True):
        tensors = [_tensor(builder, *pair, files) for pair in _tensor_descriptions(names, entries)]
        sides.append(_vector(builder, tensors))
    graph = _table(builder, {0: "main", 2: sides[0], 3: sides[1]}, 10)
    packed = _vector(builder, [_file(builder, "preprocess.json", 0, "from raw to ready: read by mmkeras.edge")])
    about = "Multi-input model of mmkeras. It takes ready tensors by name; preprocess.json says how they are made."
    fields = {0: name, 1: about, 2: version, 3: _vector(builder, [graph]), 6: packed}
    builder.Finish(_table(builder, fields, 8), b"M001")
    return bytes(builder.Output())


def _tensor(builder, name, meaning, files):
    kinds = {f"{name}.vocabulary.txt": _VOCABULARY, f"{name}.labels.txt": _LABELS}
    own = [_file(builder, file, kind, "one per line") for file, kind in kinds.items() if file in files]
    return _table(builder, {0: name, 1: meaning} | ({6: _vector(builder, own)} if own else {}), 7)


def _file(builder, name, kind, meaning):
    slots = {0: builder.CreateString(name), 1: builder.CreateString(meaning)}
    builder.StartObject(5)
    for slot, offset in slots.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.PrependInt8Slot(2, kind, 0)
    return builder.EndObject()


def _table(builder, fields, slots):
    """A table of strings and of offsets that have already been written."""
    offsets = {slot: builder.CreateString(value) if isinstance(value, str) else value for slot, value in fields.items()}
    builder.StartObject(slots)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
