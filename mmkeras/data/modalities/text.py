from mmkeras.data.faults import Fault
from mmkeras.data.modalities.base import Modality, strings, text_converter
from mmkeras.data.modalities.cells import check_texts
from mmkeras.data.viewing import page
from mmkeras.preprocess.text import UNKNOWN


class Text(Modality):
    """Texts, as they are in a column."""

    def column(self, spec, name, values, root, faults):
        check_texts(name, values)
        texts = strings(name, values)
        if not spec.optional:
            for i, text in enumerate(texts):
                if not text.decode("utf-8", "replace").strip():
                    faults.append(Fault(i, name, "", "a required text is empty"))
        return texts

    def measured(self, spec, name, values):
        texts = [value.decode("utf-8", "replace") for value in values]
        return {"words": [len(each.split()) for each in texts], "characters": [len(each) for each in texts]}

    def html(self, spec, name, value):
        return f'<span dir="auto">{page.text(value.decode("utf-8", "replace"))}</span>'

    def ready_html(self, spec, layer, ready):
        ids, known = ready[spec.name][ready[f"{spec.name}_mask"]], layer.vocabulary
        marked = [(known[i], " unknown" if known[i] == UNKNOWN else "") for i in ids.tolist()]
        tokens = "".join(f'<span class="token{mark}">{page.text(token)}</span>' for token, mark in marked)
        return tokens + page.note(f"{len(ids)} tokens")

    def converter(self, spec, name, leaf, stream):
        return text_converter(name, leaf)
