"""The shared arena: two sessions need less memory than each with its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

CODE = """
import json, sys
import numpy as np
from faceport.runtime.sessions import SessionOptions, open_session

own = {"session": {"session.use_env_allocators": "0"}} if sys.argv[2] == "own" else {}
options = SessionOptions(threads=1, provider_options=own)
sessions = [open_session(sys.argv[1], "onnxruntime", options) for _ in range(3)]
shape = (1, 3, 640, 640)
for session in sessions:
    name = session.inputs[0].name
    for _ in range(2):
        out = session.run({name: np.zeros(shape, np.float32)})
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
sums = [float(array.sum()) for array in out.values()]
print(json.dumps([int(status["VmRSS"].split()[0]), sums]))
"""


def test_sessions_share_their_memory(weights: Path) -> None:
    def run(how: str) -> tuple[int, list[float]]:
        command = [sys.executable, "-c", CODE, str(weights / "scrfd_500m_kps.onnx"), how]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        kib, sums = json.loads(done.stdout)
        return kib, sums

    (shared_kib, shared_sums), (own_kib, own_sums) = run("shared"), run("own")
    # Each of the two further arenas holds 10 MB at least.
    assert shared_kib < own_kib - 15_000
    assert shared_sums == own_sums
