from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.accuracy.lists.insightface_bin import (
    consecutive_folds,
    read_insightface_bin,
)
from faceport.benchmarks.accuracy.types import PairSet
from faceport.errors import InputError

PICTURES = [b"\xff\xd8\x00'\"\\\n" + bytes([i]) for i in range(4)]
SAME = [True, False]

# What cPickle and pickle of Python 2.7 wrote for PICTURES and SAME (str there is bytes).
PYTHON_2 = [
    b"((lp1\nS'\\xff\\xd8\\x00\\'\"\\\\\\n\\x00'\np2\naS'\\xff\\xd8\\x00\\'\"\\\\\\n\\x01'\np3\naS'"
    b"\\xff\\xd8\\x00\\'\"\\\\\\n\\x02'\np4\naS'\\xff\\xd8\\x00\\'\"\\\\\\n\\x03'\np5\na(lp6\nI01\n"
    b"aI00\nat.",
    b"(]q\x01(U\x08\xff\xd8\x00'\"\\\n\x00q\x02U\x08\xff\xd8\x00'\"\\\n\x01q\x03U\x08\xff\xd8\x00'"
    b'"\\\n\x02q\x04U\x08\xff\xd8\x00\'"\\\n\x03q\x05e]q\x06(I01\nI00\net.',
    b"\x80\x02]q\x01(U\x08\xff\xd8\x00'\"\\\n\x00q\x02U\x08\xff\xd8\x00'\"\\\n\x01q\x03U\x08\xff"
    b"\xd8\x00'\"\\\n\x02q\x04U\x08\xff\xd8\x00'\"\\\n\x03q\x05e]q\x06(\x88\x89e\x86.",
    b"\x80\x02]q\x00(U\x08\xff\xd8\x00'\"\\\n\x00q\x01U\x08\xff\xd8\x00'\"\\\n\x01q\x02U\x08\xff"
    b"\xd8\x00'\"\\\n\x02q\x03U\x08\xff\xd8\x00'\"\\\n\x03q\x04e]q\x05(\x88\x89e\x86q\x06.",
]

AS_VECTOR = [np.frombuffer(data, dtype=np.uint8).copy() for data in PICTURES]

CONTENTS: list[Callable[[], object]] = [
    lambda: (PICTURES, SAME),
    lambda: (tuple(PICTURES), tuple(SAME)),
    lambda: (PICTURES, [1, 0]),
    lambda: (AS_VECTOR, SAME),
    lambda: ([vector[:, None] for vector in AS_VECTOR], SAME),  # cv2.imencode of old
    lambda: ([bytearray(data) for data in PICTURES], SAME),
    lambda: (PICTURES, list(np.array(SAME))),
    lambda: (PICTURES, np.array(SAME)),
]
BYTEARRAYS = 5


def write(folder: Path, data: bytes) -> Path:
    path = folder / "lfw.bin"
    path.write_bytes(data)
    return path


def check(pairs: PairSet) -> None:
    assert [picture.source for picture in pairs.pictures] == PICTURES
    assert all(picture.aligned for picture in pairs.pictures)
    assert len({picture.name for picture in pairs.pictures}) == 4
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 2], [1, 3])
    assert pairs.same.tolist() == SAME
    assert pairs.folds.tolist() == [0, 1]
    assert pairs.labels is None


@pytest.mark.parametrize("data", PYTHON_2)
def test_files_of_python_2(tmp_path: Path, data: bytes) -> None:
    assert pickle.loads(data, encoding="bytes") == (PICTURES, SAME)
    check(read_insightface_bin(write(tmp_path, data)))


@pytest.mark.parametrize(
    ("content", "protocol"),
    [
        (content, protocol)
        for content in CONTENTS
        for protocol in range(6)
        # Before protocol 5 a bytearray is a call of its type, which is refused.
        if content is not CONTENTS[BYTEARRAYS] or protocol == 5
    ],
)
def test_files_of_python_3(tmp_path: Path, content: Callable[[], object], protocol: int) -> None:
    check(read_insightface_bin(write(tmp_path, pickle.dumps(content(), protocol))))


def test_the_names_of_numpy_1_are_known(tmp_path: Path) -> None:
    data = pickle.dumps((AS_VECTOR, SAME), 2)
    assert b"numpy._core.multiarray" in data or b"numpy.core.multiarray" in data
    old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    check(read_insightface_bin(write(tmp_path, old)))


def test_a_picture_that_occurs_again_is_one_picture(tmp_path: Path) -> None:
    again = [PICTURES[0], PICTURES[1], PICTURES[1], PICTURES[0]]
    pairs = read_insightface_bin(write(tmp_path, pickle.dumps((again, SAME))))
    assert [picture.source for picture in pairs.pictures] == PICTURES[:2]
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 1], [1, 0])


def test_folds_are_those_of_an_unshuffled_k_fold() -> None:
    # sklearn.model_selection.KFold: the first n % k folds have one more, in order.
    assert np.bincount(consecutive_folds(6000, 10)).tolist() == [600] * 10
    assert np.bincount(consecutive_folds(23, 10)).tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert consecutive_folds(3, 10).tolist() == [0, 1, 2]
    assert (np.diff(consecutive_folds(6007, 10)) >= 0).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([PICTURES, SAME], "has another content"),
        ((PICTURES, SAME, SAME), "has another content"),
        ((PICTURES, [True]), "not two pictures for each pair; received 4 pictures, 1 pairs"),
        (([], []), "not two pictures for each pair"),
        ((b"abcd", SAME), "no list of pictures; received bytes"),
        (([*PICTURES[:3], "text"], SAME), "item 3 is no encoded picture; received str"),
        (([*PICTURES[:3], b""], SAME), "item 3 is no encoded picture"),
        (([*PICTURES[:3], np.zeros((2, 2, 3), np.uint8)], SAME), r"an array u1 \(2, 2, 3\)"),
        (([*PICTURES[:3], np.zeros(4, np.float32)], SAME), "array of another type"),
        (([*PICTURES[:3], np.array([None])], SAME), "array of another type"),
        ((PICTURES, [True, 2]), "pair 1 does not say"),
        ((PICTURES, [True, "no"]), "pair 1 does not say"),
        ((PICTURES, {0: True}), "opcode b'}'"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_insightface_bin(write(tmp_path, pickle.dumps(content)))


def test_memory_stays_near_the_files_size(tmp_path: Path) -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    pictures = [rng.bytes(6000) for _ in range(2000)]
    path = write(tmp_path, pickle.dumps((pictures, [True] * 1000), 4))
    tracemalloc.start()
    try:
        assert len(read_insightface_bin(path).pictures) == 2000
        assert tracemalloc.get_traced_memory()[1] < 1.5 * path.stat().st_size
    finally:
        tracemalloc.stop()
