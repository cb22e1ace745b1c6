"""Reads the workers in TF_CONFIG, and this process' index among them, in plain Python."""

import dataclasses
import json
import os


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Several processes that train one model.

    Args:
        addresses: HOST:PORT of each worker, the chief first.
        worker: index of this process among them.
    """

    addresses: tuple[str, ...] = ()
    worker: int = dataclasses.field(default=0, kw_only=True)

    @property
    def workers(self) -> int:
        return max(1, len(self.addresses))

    @property
    def is_chief(self) -> bool:
        return self.worker == 0


def cluster() -> Cluster:
    """The cluster of the environment variable TF_CONFIG; one worker where it is not set.

    Returns:
        `Cluster`.

    Raises:
        ValueError: TF_CONFIG is not JSON, lacks a part, or names the same address twice.

    Example:

    >>> cluster().workers, cluster().is_chief
    (1, True)
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        told = json.loads(text)
        jobs, task = told.get("cluster") or {}, told.get("task") or {}
        addresses = (*jobs.get("chief", ()), *jobs.get("worker", ()))
        kinds = ["chief"] * len(jobs.get("chief", ())) + ["worker"] * len(jobs.get("worker", ()))
        places = {(kind, i - kinds.index(kind)): i for i, kind in enumerate(kinds)}
        worker = places[str(task["type"]), int(task["index"])] if len(addresses) > 1 else 0
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refusal("it lacks a part, or its task is not among the workers", text) from error
    unknown = sorted(set(jobs) - {"chief", "worker", "evaluator"})
    if unknown or len(set(addresses)) < len(addresses):
        raise _refusal(f"jobs {unknown} are unknown" if unknown else "two workers have the same address", text)
    if any(not address.rpartition(":")[0] or not address.rpartition(":")[2].isdigit() for address in addresses):
        raise _refusal("an address is HOST:PORT", text)
    return Cluster(addresses, worker=worker)


def _refusal(what, text):
    return ValueError(
        'TF_CONFIG must be like {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", '
        f'"index": 0}}}}, with the index of this process among the workers: {what}. Received: {text}.'
    )
