"""A disk that takes no more: an error of ours, and all that was acknowledged is kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from gallery_killer import finish, start
from gallery_model import Plan, State, check_templates, perform, read, replay

from faceport.errors import GalleryError
from faceport.gallery import Gallery


@pytest.mark.parametrize("room", [0, 4096, 30_000, 90_000])
def test_files_that_may_not_grow(tmp_path: Path, room: int) -> None:
    location = tmp_path / "g.db"
    state: State = {}
    with Gallery.open(str(location)) as gallery:
        for operation in (plan := Plan(3)).draw(20):
            perform(gallery, operation)
        state = plan.state
    limit = location.stat().st_size + room
    operations = Plan(4, state).draw(400)
    outcome = finish(start(tmp_path, str(location), operations, max_bytes=limit))
    assert len(outcome.errors) == 1
    assert outcome.errors[0].startswith("error GalleryError")
    assert "room" in outcome.errors[0]
    with Gallery.open(str(location)) as gallery:
        assert gallery.check() == []
        found = read(gallery)
        check_templates(gallery, found)
        # What was refused was not done, and the gallery works again when there is room.
        assert found == replay(state, operations[: outcome.acknowledged])
        perform(gallery, operations[outcome.acknowledged])
        assert read(gallery) == replay(state, operations[: outcome.acknowledged + 1])


def test_a_database_that_may_have_no_more_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def limited(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)
    operations = Plan(5).draw(400)
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        done = _until_refused(gallery, operations)
        assert 0 < done < len(operations)
        # The same object goes on working.
        assert gallery.check() == []
        assert read(gallery) == replay({}, operations[:done])
        monkeypatch.undo()
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        perform(gallery, operations[done])
        assert gallery.check() == []


def _until_refused(gallery: Gallery, operations: list[object]) -> int:
    for number, operation in enumerate(operations):
        try:
            perform(gallery, operation)  # type: ignore[arg-type]
        except GalleryError as error:
            assert "room" in str(error)  # noqa: PT017
            return number
    return len(operations)
