"""The public surface: what is passed by position, and what a type checker is told of it."""

import importlib
import inspect

import pytest

ROOMS = [
    "augment", "branches", "branches.audio", "branches.image", "branches.table", "branches.text", "branches.vector",
    "branches.video", "contract", "data", "data.generate", "distribute", "edge", "evaluate", "export", "fusion",
    "heads", "layers", "losses", "models", "preprocess", "retrieval", "specs", "train",
    "serve", "client",
]  # fmt: skip
# Arguments that may be positional after the first one: what a function works on, not how it does so.
SUBJECTS = {
    "absent", "baselines", "batches", "branches", "callbacks", "classes", "columns", "dtype", "example", "factors",
    "filters", "folds", "fractions", "fusion", "heads", "labels", "leaves", "max_categories", "model", "monitor",
    "outputs", "path", "pattern", "png", "preprocess", "raw", "ready", "source", "spec", "specs", "test", "train",
}  # fmt: skip


def _public():
    for room in ["", *ROOMS]:
        module = importlib.import_module(f"mmkeras.{room}".rstrip("."))
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or (inspect.isclass(thing) and not issubclass(thing, BaseException)):
                yield f"{room}.{name}".lstrip("."), thing


PUBLIC = dict(_public())


def _own_parameters(function):
    parameters = list(inspect.signature(function).parameters.values())
    return [each for each in parameters if each.name not in ("self", "cls")]


@pytest.mark.parametrize("name", PUBLIC)
def test_only_subjects_are_passed_by_position(name):
    thing = PUBLIC[name]
    if inspect.isclass(thing) and not getattr(thing.__init__, "__module__", "").startswith("mmkeras"):
        return  # inherited from Keras
    by_position = [each.name for each in _own_parameters(thing) if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert [each for each in by_position[1:] if each not in SUBJECTS] == []


def _functions(thing):
    """The function itself; of a class its constructor, and those methods that are not declared by a foreign base."""
    if inspect.isfunction(thing):
        yield thing
        return
    foreign = [base for base in thing.__mro__ if not base.__module__.startswith(("mmkeras", "abc"))]
    for name, value in vars(thing).items():
        value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        inherited = any(name in vars(base) for base in foreign)
        if inspect.isfunction(value) and (name == "__init__" or not (name.startswith("_") or inherited)):
            yield value


# Methods that Keras calls with tensors, and values that it stores.
KERAS = ("build", "call", "compute_mask", "compute_output_shape", "compute_output_spec", "get_config", "from_config")


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_is_annotated(name):
    lacking = []
    for function in _functions(PUBLIC[name]):
        if function.__name__ not in KERAS:
            lacking += [f"{function.__qualname__}: {each.name}" for each in _own_parameters(function)
                        if each.annotation is each.empty]  # fmt: skip
            if "return" not in function.__annotations__:
                lacking.append(f"{function.__qualname__}: return")
    assert lacking == []
