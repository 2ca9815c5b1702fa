from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceport.runtime import device

CPUINFO = """processor\t: 0
model name\t: Testium 9000 @ 3 GHz
flags\t\t: fpu sse2 avx2 fma avx512_bf16 made_up

processor\t: 1
model name\t: another one
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n"


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "proc/cpuinfo", CPUINFO)
    write(tmp_path, "proc/meminfo", "MemTotal:        8000 kB\nMemFree: 1 kB\n")
    return tmp_path


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_this_machine_has_a_name_that_fits_a_file() -> None:
    name = device.device_id()
    assert name == device.device_id()
    assert name == Path(name).name
    assert name.isascii()
    assert " " not in name
    assert f"{device.usable_cores()}-cores" in name


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= device.usable_cores() <= len(os.sched_getaffinity(0)) <= device.logical_cores()


def test_the_processor_is_read_from_the_first_block(root: Path) -> None:
    assert device.cpu_model(root) == "Testium 9000 @ 3 GHz"
    assert device.cpu_flags(root) == ("avx2", "fma", "avx512_bf16")


def test_an_arm_board_is_named_by_its_device_tree(tmp_path: Path, eight_cores: None) -> None:
    write(tmp_path, "proc/cpuinfo", ARM)
    write(tmp_path, "proc/device-tree/model", "NVIDIA Jetson Orin Nano\0")
    assert "implementer 0x41 part 0xd42" in device.cpu_model(tmp_path)
    assert device.cpu_flags(tmp_path) == ("asimd", "asimddp")
    assert device.board_model(tmp_path) == "NVIDIA Jetson Orin Nano"
    assert device.device_id(tmp_path).startswith("nvidia-jetson-orin-nano-8-cores-")


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "250000 100000\n"}, 3),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 8),
        # In a container the path is the host's, and the limit lies at the top.
        ({"proc/self/cgroup": "0::/host/x\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "3:cpuset:/\n1:cpu,cpuacct:/a\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        ({}, 8),
        ({"proc/self/cgroup": "nonsense\n"}, 8),
    ],
    ids=["v2", "v2 without limit", "container", "v1", "no groups", "malformed"],
)
def test_a_control_groups_quota_limits_the_cores(
    root: Path, eight_cores: None, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        write(root, name, text)
    assert device.usable_cores(root) == cores


def test_memory_is_the_machines_or_its_groups(root: Path) -> None:
    assert device.usable_memory(root) == 8000 * 1024
    write(root, "proc/self/cgroup", "0::/a\n")
    write(root, "sys/fs/cgroup/a/memory.max", "4096000\n")
    assert device.usable_memory(root) == 4096000


def test_the_name_changes_with_what_changes_speed(root: Path, eight_cores: None) -> None:
    names = {device.device_id(root)}
    write(root, "proc/driver/nvidia/gpus/0/information", "Model: \t NVIDIA L4\nIRQ: 5\n")
    assert device.gpu_names(root) == ("NVIDIA L4",)
    names.add(device.device_id(root))
    write(root, "proc/cpuinfo", CPUINFO.replace("avx512_bf16", ""))
    names.add(device.device_id(root))
    write(root, "proc/self/cgroup", "0::/\n")
    write(root, "sys/fs/cgroup/cpu.max", "100000 100000\n")
    names.add(device.device_id(root))
    assert len(names) == 4


def test_a_machine_that_tells_nothing_still_has_a_name(tmp_path: Path) -> None:
    assert device.device_id(tmp_path)
    assert device.usable_memory(tmp_path) == 0
    assert device.gpu_names(tmp_path) == ()
