"""Loads and unloads the versions below a folder: NAME/VERSION/saved_model.pb."""

import logging
import threading
from pathlib import Path

from mmkeras.serve import litert
from mmkeras.serve.batching import Batcher
from mmkeras.serve.model import SavedModel

log = logging.getLogger("mmkeras.serve")


class Version:
    """A loaded version: `model`, and `batcher` in front of it."""

    def __init__(self, name, number, path, max_batch, observe):
        self.name, self.number, self.stamp = name, number, stamp(path)
        self.model, file = SavedModel(path, max_batch), litert.file_of(path)
        self.file = file and file.name  # the LiteRT file that answers single examples; None without one
        self.batcher = Batcher(litert.Single(file, self.model) if file else self.model, max_batch, observe)


class Versions:
    """The versions below a folder, looked for again and again.

    A version that appears is loaded and warmed up before it answers; one that is removed is let go after the requests
    that wait for it, and the highest that is left answers, which is how to roll back. One whose files are replaced is
    loaded again, and answers as before until then. A version that cannot be loaded harms no other; its status says why,
    and it is tried again when its files change.

    Args:
        folder: that holds NAME/VERSION/saved_model.pb.
        newest: how many versions of each name, the highest ones; None for all.
        max_batch: examples that are answered together.
        seconds: between two looks.
        observe: function (name, examples), called for each batch.

    Raises:
        ValueError: there is no version, or none can be loaded.
    """

    def __init__(self, folder, *, newest=None, max_batch=32, seconds=1.0, observe=lambda name, count: None):
        self.folder, self._newest, self._max_batch = Path(folder).expanduser(), newest, max_batch
        self._seconds, self._observe = seconds, observe
        self._loaded, self._failed, self._seen = {}, {}, {}  # dicts by (name, number)
        self._stopped, self._thread = threading.Event(), None
        self.look(settled=False)
        if not self._loaded:
            raise ValueError(self._nothing())

    def get(self, name, number=None):
        """A `Version`, the highest one if no number is given; None if there is none."""
        numbers = [each for known, each in list(self._loaded) if known == name]
        number = max(numbers, default=None) if number is None else number
        return self._loaded.get((name, number))

    def states(self, name):
        """Dict, number -> "" if it is loaded, or the reason why it is not."""
        failed = {number: why for (known, number), (_, why) in list(self._failed.items()) if known == name}
        return failed | {number: "" for known, number in list(self._loaded) if known == name}

    def names(self):
        return sorted({name for name, _ in list(self._loaded)})

    def start(self):
        """Keeps watching the folder in a thread."""
        self._thread = threading.Thread(target=self._watch, name="mmkeras-versions", daemon=True)
        self._thread.start()

    def close(self):
        """Stops watching, and answers waiting requests."""
        self._stopped.set()
        if self._thread:
            self._thread.join()
        for version in self._loaded.values():
            version.batcher.close()

    def look(self, settled=True):
        """Loads what is new, and lets go what is gone or has been replaced.

        Args:
            settled: load only what has not changed since the last look, since it may still be copied.
        """
        found = self._found()
        new = {key: path for key, path in found.items() if not self._is_current(key, path)}
        before, self._seen = self._seen, {key: contents(path) for key, path in new.items()}
        for key, path in new.items():
            now = self._seen[key]
            if (not settled or before.get(key) == now) and self._failed.get(key, (None,))[0] != now:
                self._load(key, path, now)
        for key in [key for key in self._loaded if key not in found]:
            self._let_go(self._loaded.pop(key))
        self._failed = {
            key: why for key, why in self._failed.items() if key in new and not self._is_current(key, new[key])
        }

    def _is_current(self, key, path):
        known = self._loaded.get(key)
        return known is not None and known.stamp == stamp(path)

    def _watch(self):
        while not self._stopped.wait(self._seconds):
            try:
                self.look()
            except OSError as error:  # a folder disappeared while it was read; the next look finds the current state
                log.warning("%s could not be read: %s", self.folder, error)

    def _found(self):
        found = {}
        for file in self.folder.glob("*/*/saved_model.pb"):
            number = file.parent.name
            if number.isdecimal() and int(number) > 0:
                found[file.parent.parent.name, int(number)] = file.parent
        if self._newest is None:
            return found
        return {key: path for key, path in found.items() if self._rank(key, found) < self._newest}

    @staticmethod
    def _rank(key, found):
        return sum(name == key[0] and number > key[1] for name, number in found)

    def _load(self, key, path, now):
        name, number = key
        try:
            version = Version(name, number, path, self._max_batch, lambda count: self._observe(name, count))
        except Exception as error:  # errors of TensorFlow, protobuf or the file system
            why = f"{type(error).__name__}: {error}"[:1000]
            self._failed[key] = (now, why)
            log.error("%s/%s cannot be loaded. %s", name, number, why)
            return
        replaced, self._loaded = self._loaded.get(key), self._loaded | {key: version}
        log.info("%s/%s is ready%s", name, number, (version.file and f", single examples by {version.file}") or "")
        if replaced:
            self._let_go(replaced)

    def _let_go(self, version):
        version.batcher.close()
        log.info("%s/%s is let go", version.name, version.number)

    def _nothing(self):
        folder = self.folder
        if self._failed:
            return "No version could be loaded. Received: " + "; ".join(
                f"{name}/{number}, {why}" for (name, number), (_, why) in self._failed.items()
            )
        levels = {"saved_model.pb": folder.parent.parent, "*/saved_model.pb": folder.parent}  # of a version, of a name
        above = [up for pattern, up in levels.items() if next(folder.glob(pattern), None)]
        near = f"Did you mean '{above[0]}'?" if above else "Export a model into it with mm.export.saved_model."
        return (
            "The folder must hold NAME/VERSION/saved_model.pb, VERSION being a positive integer. "
            f"Received: '{folder}', {'where there is none' if folder.is_dir() else 'which is no folder'}. {near}"
        )


def stamp(path):
    """Changes if a version is replaced by another one with its number, or gets a LiteRT file; None if it is gone."""
    try:
        files = [Path(path, "saved_model.pb"), *sorted(Path(path).glob(litert.PATTERN))]
        found = [file.stat() for file in files]
    except FileNotFoundError:
        return None
    return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def contents(path):
    """The files of a version, with sizes and times."""
    files = sorted(file for file in Path(path).rglob("*") if file.is_file())
    return tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
