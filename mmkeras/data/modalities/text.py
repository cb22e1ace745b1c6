from mmkeras.data.faults import Fault
from mmkeras.data.modalities.base import Modality, strings, text_converter


class Text(Modality):
    """Texts, as they stand in a column."""

    def column(self, spec, name, values, root, faults):
        texts = strings(name, values)
        if not spec.optional:
            for i, text in enumerate(texts):
                if not text.decode("utf-8", "replace").strip():
                    faults.append(Fault(i, name, "", "a required text is empty"))
        return texts

    def converter(self, spec, name, leaf, stream):
        return text_converter(name, leaf)
