from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.machine.environment import Machine, describe_machine, versions
from faceport.benchmarks.machine.nvidia import Gpu, gpus, power_mode
from faceport.codec import decode, encode


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only one on PATH but for the shell's."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_this_machine_survives_the_way_to_json_and_back() -> None:
    machine = describe_machine()
    text = json.dumps(encode(machine), allow_nan=False)
    assert decode(Machine, json.loads(text)) == machine
    assert machine.versions["numpy"] == np.__version__
    assert machine.cores <= len(os.sched_getaffinity(0))
    assert machine.memory_bytes > 0
    first = machine.lines()[0]
    assert machine.cpu in first
    assert f"{machine.cores} of" in first


def test_gpus_are_read_from_nvidia_smi(programs: Path) -> None:
    program(
        programs,
        "nvidia-smi",
        'echo "$1" | /bin/grep -q compute_cap || exit 9\n'
        'echo "NVIDIA L4, 570.1, 8.9, 23034, 72.00"\n'
        'echo "Orin (nvgpu), 540.4, 8.7, [N/A], [Not Supported]"',
    )
    first, second = gpus()
    assert first == Gpu("NVIDIA L4", "570.1", "8.9", 23034, 72.0)
    assert second == Gpu("Orin (nvgpu)", "540.4", "8.7", None, None)
    assert "compute capability 8.9" in first.text
    assert "None" not in second.text


@pytest.mark.parametrize(
    "script", ["exit 9", "echo 'No devices were found'", "printf '\\377\\376'", ""]
)
def test_an_nvidia_smi_that_finds_nothing_is_no_gpu(programs: Path, script: str) -> None:
    program(programs, "nvidia-smi", script)
    assert gpus() == ()


def test_a_jetsons_power_mode(programs: Path) -> None:
    assert power_mode() is None
    program(programs, "nvpmodel", "echo 'NV Power Mode: MAXN_SUPER'; echo 2")
    assert power_mode() == "MAXN_SUPER"


def test_without_its_programs_there_is_nothing(programs: Path) -> None:
    assert gpus() == ()


def test_a_jetson_is_described(programs: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_text("NVIDIA Jetson AGX Orin\0")
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('NAME=x\nPRETTY_NAME="Test Linux 1"\n')
    program(programs, "nvpmodel", "echo 'NV Power Mode: 15W'")
    machine = describe_machine(root)
    assert (machine.board, machine.power_mode) == ("NVIDIA Jetson AGX Orin", "15W")
    assert machine.system == "Test Linux 1"
    assert any("15W" in line for line in machine.lines())


def test_what_is_not_installed_has_no_version() -> None:
    found = versions()
    assert "faceport" in found
    assert "no-such-package" not in found
    assert all(found.values())
