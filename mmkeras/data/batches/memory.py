"""How much memory is free."""

from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def free_memory() -> int | None:
    """Memory in bytes that can be used without swapping, within the limit of a container; None if unknown.

    It includes what caches of files hold, which are dropped when memory is needed.

    Source: proc_meminfo(5), MemAvailable; Linux' admin-guide/cgroup-v2, memory.max, memory.current and memory.stat.
    """
    try:
        lines = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):  # not Linux
        return None
    try:
        most, used = (int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        stat = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return min(free, most - used + int(stat["inactive_file"]))
    except (OSError, ValueError, KeyError):  # no container, or one without a limit ("max")
        return free
