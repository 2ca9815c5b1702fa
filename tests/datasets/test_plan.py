"""The plan deals every picture out once, in order, whatever the shard size."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.datasets.info import PLAN
from faceport.datasets.items import Item
from faceport.datasets.plan import Plan, read_shard, write_plan
from faceport.errors import DatasetError, InputError


def items(count: int) -> list[Item]:
    return [Item(f"{n} é", "file", Path(f"/x/{n}\udcff.jpg"), size=n) for n in range(count)]


def written(folder: Path, pictures: list[Item], size: int) -> Plan:
    return write_plan(folder, iter(pictures), size, lambda plan: None)


@settings(deadline=None)
@given(count=st.integers(1, 40), size=st.integers(1, 45))
def test_every_picture_is_in_one_shard(count: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        plan = written(Path(name), items(count), size)
        shards = [read_shard(Path(name), number) for number in range(plan.shards)]
    assert [item for shard in shards for item in shard] == items(count)
    assert {len(shard) for shard in shards[:-1]} <= {size}
    assert plan.pictures == count


def test_the_digest_tells_other_pictures(tmp_path: Path) -> None:
    one, other = items(5), items(5)
    other[2] = Item(other[2].name, "file", other[2].path, size=99)
    digests = [written(tmp_path, some, 2).digest for some in (one, one, other, one[:4])]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_plan_that_is_refused_leaves_the_one_there(tmp_path: Path) -> None:
    written(tmp_path, items(5), 2)
    before = (tmp_path / PLAN).read_bytes()

    def refuse(plan: Plan) -> None:
        raise DatasetError(f"{plan.pictures} pictures")

    with pytest.raises(DatasetError, match="9 pictures"):
        write_plan(tmp_path, items(9), 2, refuse)
    with pytest.raises(InputError, match="no pictures"):
        written(tmp_path, [], 2)
    assert (tmp_path / PLAN).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [PLAN]


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"_plan.parquet can't be read"):
        read_shard(tmp_path, 0)
