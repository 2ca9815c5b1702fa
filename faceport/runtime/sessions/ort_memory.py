"""One arena of memory for all of onnxruntime's CPU sessions in a process.

By itself every session keeps an arena as large as its largest run, and, from the second run of a
shape on, a block as large again for that shape's plan (the memory pattern). A pipeline runs its
detector and its embedder in turn, so one arena serves both, and without plans: 190 MB became 151 MB
for six faces with SCRFD 500m and MobileFaceNet, and no run took longer (docs/adr/0080).

The arena is the process's: what is in it stays when a session is closed, for the next one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

SHARED = "session.use_env_allocators"
"""onnxruntime's own name of the setting; a caller may set it to 0."""


def share_memory(onnxruntime: Any, settings: Any) -> None:
    """Make a session with these settings use the arena that all share."""
    settings.enable_mem_pattern = False
    if _registered(onnxruntime):
        settings.add_session_config_entry(SHARED, "1")


@cache
def _registered(onnxruntime: Any) -> bool:
    """Register the arena, once a process."""
    try:
        memory = onnxruntime.OrtMemoryInfo(
            "Cpu",
            onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
            0,
            onnxruntime.OrtMemType.DEFAULT,
        )
        onnxruntime.create_and_register_allocator(memory, None)
    # It has no exception of its own. Without the arena the sessions keep their own, as ever.
    except Exception:
        return False
    return True
