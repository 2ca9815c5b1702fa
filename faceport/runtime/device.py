"""Which device this is: what settings measured on one machine are filed under.

Cheap on purpose (a few small files under /proc and /sys): a pipeline asks each time it is loaded.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
"""Where /proc and /sys lie; tests give a folder of their own."""

SLUG = 40
"""Most characters of the readable part of a device's name."""


EXTENSIONS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve"),
)
"""Extensions that inference engines have kernels for, x86's and ARM's, by the kernel's names."""


def device_id(root: Path = ROOT) -> str:
    """Name this device: a readable part and 8 hex digits, fit for a file name.

    Two machines with the same processor, the same number of usable cores and the same GPUs have the
    same name. A process that is given fewer cores is on another device: what is fastest depends on
    them.
    """
    board = board_model(root)
    parts = [board or cpu_model(root), f"{usable_cores(root)} cores", *gpu_names(root)]
    # The board's name says nothing of the processor where a board is sold with several.
    text = "\n".join([cpu_model(root), *cpu_flags(root), *parts])
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    slug = "".join(c if c.isascii() and c.isalnum() else " " for c in " ".join(parts)).lower()
    return f"{'-'.join(slug.split())[:SLUG].strip('-')}-{digest}"


def cpu_model(root: Path = ROOT) -> str:
    """Return the processor's name; on ARM, which has none, its maker's and its own number."""
    facts = _first_processor(root)
    if name := facts.get("model name"):
        return name
    if part := facts.get("CPU part"):
        return f"{platform.machine()} implementer {facts.get('CPU implementer', '?')} part {part}"
    return platform.processor() or platform.machine()


def cpu_flags(root: Path = ROOT) -> tuple[str, ...]:
    """Return which of `EXTENSIONS` the processor has; empty where the kernel does not tell."""
    facts = _first_processor(root)
    there = set((facts.get("flags") or facts.get("Features") or "").split())
    return tuple(name for name in EXTENSIONS if name in there)


def usable_cores(root: Path = ROOT) -> int:
    """Return how many cores this process may use: affinity, and the control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical_cores()
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def logical_cores() -> int:
    """Return how many cores the machine has, whoever may use them."""
    return os.cpu_count() or 1


def usable_memory(root: Path = ROOT) -> int:
    """Return the bytes of memory this process may use: the machine's, or its control group's."""
    facts = (line.partition(":") for line in _text(root / "proc/meminfo").splitlines())
    sizes = [value.split() for key, _, value in facts if key == "MemTotal"]
    found = [int(words[0]) * 1024 for words in sizes if words and words[0].isdigit()]
    for folder in control_groups(root, "memory"):
        limits = (_text(folder / name) for name in ("memory.max", "memory.limit_in_bytes"))
        found += [int(limit) for limit in limits if limit.isdigit()]
    return min(found, default=0)


def board_model(root: Path = ROOT) -> str | None:
    """Return the board's name from the device tree (`NVIDIA Jetson Orin Nano …`), if it has one."""
    return _text(root / "proc/device-tree/model") or None


def gpu_names(root: Path = ROOT) -> tuple[str, ...]:
    """Return the names of NVIDIA's GPUs as the kernel's driver tells them; empty without one."""
    folder = root / "proc/driver/nvidia/gpus"
    found = []
    for path in sorted(folder.glob("*/information")):
        lines = (line.partition(":") for line in _text(path).splitlines())
        found += [value.strip() for key, _, value in lines if key.strip() == "Model"]
    return tuple(found)


def control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Give the folders of this process's control groups, its own first, then those around it.

    Version 2 has one tree for all controllers, version 1 one each.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = (*line.split(":", 2), "", "")[:3]
        if names and controller not in names.split(","):
            continue
        tree = root / "sys/fs/cgroup" / (controller if names else "")
        parts = [part for part in path.split("/") if part and part != ".."]
        # Inside a container the path may be the host's, and only the tree's top is there.
        for depth in range(len(parts), -1, -1):
            yield tree.joinpath(*parts[:depth])


def _quotas(root: Path) -> Iterator[float]:
    for folder in control_groups(root, "cpu"):
        both = _text(folder / "cpu.max").split() or [
            _text(folder / "cpu.cfs_quota_us"),
            _text(folder / "cpu.cfs_period_us"),
        ]
        if len(both) == 2 and all(part.isdigit() for part in both) and int(both[1]) > 0:
            yield int(both[0]) / int(both[1])


def _first_processor(root: Path) -> dict[str, str]:
    """Return /proc/cpuinfo's first block: the others say the same, and may be hundreds."""
    facts: dict[str, str] = {}
    try:
        with (root / "proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip() and facts:
                    break
                key, _, value = line.partition(":")
                facts[key.strip()] = value.strip()
    except OSError:
        return {}
    return facts


def _text(path: Path) -> str:
    """Return a small file's text without its end, empty where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip(" \t\r\n\0")
    except OSError:
        return ""
