"""What is done next, and how much at once; without threads but where waiting is the point."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.images import Image
from faceport.runtime.results import Result
from faceport.runtime.stream_board import Board, Limits, Step, Task, Ticket
from faceport.runtime.types import Detection

LIMITS = Limits(ahead=8, pixels=10_000, detect_pictures=1, embed_faces=4, detectors=9, embedders=9)
SIDE = 10
FACE = Detection(np.zeros(4, np.float32), 1.0)


def board_of(count: int, limits: Limits = LIMITS) -> tuple[Board, list[Ticket]]:
    board = Board(limits)
    tickets = [Ticket(str(index)) for index in range(count)]
    for ticket in tickets:
        board.add(ticket)
    return board, tickets


def finish(board: Board, task: Task, *, faces: int = 1, side: int = SIDE) -> None:
    """Do a task as `Steps` would: pictures of `side` squared, `faces` in each."""
    pixels = 0
    for ticket in task.tickets:
        if task.step is Step.DECODE:
            ticket.image = Image(np.zeros((side, side, 3), np.uint8), "rgb")
            pixels += side * side
            continue
        if task.step is Step.DETECT:
            ticket.found = [FACE] * faces
        if task.step is Step.EMBED or not faces:
            assert ticket.image is not None
            pixels -= ticket.image.height * ticket.image.width
            ticket.result, ticket.image = Result(ticket.source), None
    board.done(task, pixels)


def taken(board: Board) -> Task:
    task = board.next_task()
    assert task is not None
    return task


def names(task: Task) -> str:
    return f"{task.step.value} {''.join(str(ticket.source) for ticket in task.tickets)}"


def test_one_worker_goes_deep_first_and_fills_batches_while_there_is_more() -> None:
    board, _ = board_of(5)
    done = []
    for _ in range(12):
        task = taken(board)
        done.append(names(task))
        finish(board, task)
    assert done == [
        *("decode 0", "detect 0", "decode 1", "detect 1", "decode 2", "detect 2"),
        *("decode 3", "detect 3", "embed 0123", "decode 4", "detect 4", "embed 4"),
    ]


def test_a_lone_picture_goes_straight_through() -> None:
    board, [ticket] = board_of(1)
    for step in ("decode 0", "detect 0", "embed 0"):
        task = taken(board)
        assert names(task) == step
        finish(board, task)
    assert board.next_done() is ticket


def test_the_faces_of_a_picture_stay_together_and_a_batch_is_not_exceeded() -> None:
    board, _ = board_of(3, replace(LIMITS, embed_faces=5))
    for faces in (2, 2, 2):
        finish(board, taken(board))
        finish(board, taken(board), faces=faces)
    assert names(taken(board)) == "embed 01"
    assert names(taken(board)) == "embed 2"
    board, _ = board_of(1)
    finish(board, taken(board))
    finish(board, taken(board), faces=40)
    assert names(taken(board)) == "embed 0"


def test_detectors_batch_where_they_may() -> None:
    board, _ = board_of(3, replace(LIMITS, detect_pictures=2))
    for _ in range(2):
        finish(board, taken(board))
    assert names(taken(board)) == "detect 01"
    finish(board, taken(board))
    assert names(taken(board)) == "detect 2"


def test_a_part_that_one_thread_may_use_is_given_to_one() -> None:
    board, _ = board_of(3, replace(LIMITS, detectors=1, embedders=1, embed_faces=1))
    finish(board, taken(board))
    detecting = taken(board)
    finish(board, taken(board))
    assert names(detecting) == "detect 0"
    assert names(taken(board)) == "decode 2"
    finish(board, detecting)
    assert names(taken(board)) == "embed 0"
    assert names(taken(board)) == "detect 1"


def test_no_picture_is_decoded_past_the_pixels() -> None:
    board, _ = board_of(6, replace(LIMITS, pixels=250, detectors=1, embed_faces=9))
    finish(board, taken(board))
    detecting = taken(board)
    for _ in range(2):
        assert taken(board).step is Step.DECODE
    # 100 are held and two more pictures of 100 each are on their way: a fourth must wait.
    waiting = threading.Thread(target=board.next_task, daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    finish(board, detecting, faces=0)
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_picture_of_any_size_is_decoded_alone() -> None:
    board, _ = board_of(2, replace(LIMITS, pixels=50))
    finish(board, taken(board), side=100)
    finish(board, taken(board))
    assert names(taken(board)) == "embed 0"


def test_results_come_in_order_and_make_room() -> None:
    board, (first, second) = board_of(2, replace(LIMITS, ahead=2))
    room: list[bool] = []
    reader = threading.Thread(target=lambda: room.append(board.wait_for_room()), daemon=True)
    reader.start()
    tasks = [taken(board), taken(board)]
    second.result = Result("1")
    board.done(tasks[1], 0)
    reader.join(0.1)
    assert room == []
    first.failure = ValueError()
    board.done(tasks[0], 0)
    assert board.next_done() is first
    reader.join(10)
    assert room == [True]
    board.end()
    assert board.next_done() is second
    assert board.next_done() is None


def test_stopping_sends_everybody_home() -> None:
    board, _ = board_of(8)
    board.stop()
    assert board.next_task() is None
    assert not board.wait_for_room()


@pytest.mark.parametrize("workers", [1, 3])
@given(
    faces=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    pixels=st.sampled_from([1, 150, 350, 10_000]),
    batch=st.integers(1, 6),
)
def test_any_choice_of_limits_gets_everything_done(
    workers: int, faces: list[int], pixels: int, batch: int
) -> None:
    limits = Limits(len(faces), pixels, 2, batch, detectors=1, embedders=2)
    board, tickets = board_of(len(faces), limits)
    running: list[Task] = []
    while any(ticket.next_step is not None for ticket in tickets):
        if len(running) < workers and startable(board):
            running.append(taken(board))
            continue
        assert running, "all wait for each other"
        task = running.pop(0)
        if task.step is Step.DETECT:
            for ticket in task.tickets:
                ticket.found = [FACE] * faces[int(str(ticket.source))]
                ticket.result = None if ticket.found else Result(ticket.source)
            freed = SIDE**2 * sum(ticket.result is not None for ticket in task.tickets)
            board.done(task, -freed)
        else:
            finish(board, task)
    board.end()
    for ticket in tickets:
        assert board.next_done() is ticket


def startable(board: Board) -> bool:
    """Whether another worker would find something to do now."""
    return any(board._may_start(step) for step in Step)
