from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from face_gallery import embedding, samples

from faceport.errors import GalleryError
from faceport.gallery import Gallery
from faceport.gallery.stores import connections
from faceport.gallery.stores.sqlite import open_store


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enroll("ann", samples([0, 1]))
        yield gallery


def execute(path: str | Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_missing_gallery_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no gallery"):
        Gallery(tmp_path / "g.db", create=False)
    assert not (tmp_path / "g.db").exists()


def _text(path: Path) -> None:
    path.write_text("not a database, and long enough to be read as a page\n" * 30)


def _foreign(path: Path) -> None:
    execute(path, "CREATE TABLE notes (text)")


def _newer(path: Path) -> None:
    Gallery(path).close()
    execute(path, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_text, _foreign, _newer])
def test_files_that_are_no_gallery(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "g.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(GalleryError):
        Gallery(path)
    assert path.read_bytes() == before


def test_a_newer_schema_says_what_to_do(tmp_path: Path) -> None:
    _newer(tmp_path / "g.db")
    with pytest.raises(GalleryError, match="received 99; expected 2; use the faceport version"):
        Gallery(tmp_path / "g.db")


def test_a_gallery_made_newer_by_another_process_is_not_touched_any_more(gallery: Gallery) -> None:
    execute(gallery.location, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(GalleryError, match="another schema"):
        gallery.identities()
    with pytest.raises(GalleryError, match="another schema"):
        gallery.delete("ann")


@pytest.mark.parametrize("name", ["a?b=c#d.db", "a%20b.db", "愛 'x'.db", "file:x.db"])
def test_paths_of_any_characters(tmp_path: Path, name: str) -> None:
    with Gallery(tmp_path / name) as gallery:
        gallery.enroll("ann", samples([0]))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_gallery_is_one_file_once_it_is_closed(gallery: Gallery) -> None:
    path = Path(gallery.location)
    assert gallery.stats().details["journal"] == "wal"
    assert sorted(p.name for p in path.parent.iterdir()) == ["g.db", "g.db-shm", "g.db-wal"]
    gallery.search([embedding(0)])
    gallery.close()
    assert [p.name for p in path.parent.iterdir()] == ["g.db"]


def test_readers_work_while_one_writes(gallery: Gallery) -> None:
    with Gallery(gallery.location) as other, gallery._store.transaction() as writer:
        writer.add_identity("half", "{}", "now")
        assert [i.name for i in other.identities()] == ["ann"]
        assert other.search([embedding(0)])[0].name == "ann"
    assert [i.name for i in gallery.identities()] == ["ann", "half"]


def test_without_wal_it_works_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enroll("ann", samples([0]))
    execute(tmp_path / "g.db", "PRAGMA journal_mode = DELETE")

    real = connections.connect

    class NoSharedMemory(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "PRAGMA journal_mode = WAL":
                raise sqlite3.OperationalError("locking protocol")
            return super().execute(sql, *values)  # type: ignore[arg-type]

    def connect(path: Path, mode: str) -> sqlite3.Connection:
        with monkeypatch.context() as patch:
            original = sqlite3.connect
            patch.setattr(
                sqlite3, "connect", lambda *a, **k: original(*a, factory=NoSharedMemory, **k)
            )
            return real(path, mode)  # type: ignore[arg-type]

    monkeypatch.setattr("faceport.gallery.stores.sqlite.connect", connect)
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enroll("bob", samples([1]))
        assert gallery.stats().details["journal"] == "delete"
        assert [i.name for i in gallery.identities()] == ["ann", "bob"]
    assert "no write-ahead log on this file system" in caplog.text


READ_ONLY = """
import os, sys
import faceport.gallery.stores.sqlite, faceport.gallery.indexes.exact
from face_gallery import embedding, samples
from faceport.errors import GalleryError
from faceport.gallery import Gallery
face, other = embedding(0), samples([2])
# Only now, as not everybody may read where Python lies.
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
with Gallery(sys.argv[1]) as gallery:
    assert gallery.read_only
    print(gallery.search([face])[0].name, gallery.check())
    try:
        gallery.enroll("bob", other)
    except GalleryError as error:
        print(error)
"""


@pytest.fixture
def open_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that others may look into; pytest's own are closed to them."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="faceport-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def without_rights(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run code that may not write to the path's folder, nor as root to anything."""
    Path(path).chmod(0o444)
    path.parent.chmod(0o555)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_a_read_only_disk_can_be_searched(open_folder: Path) -> None:
    with Gallery(open_folder / "g.db") as gallery:
        gallery.enroll("ann", samples([0, 1]))
    done = without_rights(READ_ONLY, open_folder / "g.db")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ann []\n")
    assert "can't be written" in done.stdout
    assert [path.name for path in open_folder.iterdir()] == ["g.db"]


def test_commits_beside_a_file_on_a_read_only_disk_are_not_overlooked(
    open_folder: Path, gallery: Gallery
) -> None:
    for suffix in ("", "-wal"):
        shutil.copy(f"{gallery.location}{suffix}", open_folder / f"g.db{suffix}")
        (open_folder / f"g.db{suffix}").chmod(0o644)
    done = without_rights(READ_ONLY, open_folder / "g.db")
    # SQLite may read the log in memory of its own; if it can't, that must be said.
    assert done.stdout.startswith("ann []") or "was not closed" in done.stderr


def test_a_read_only_file_is_read_while_another_writes(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = open_folder / "g.db"
    with Gallery(path) as writing:
        writing.enroll("ann", samples([0]))
    monkeypatch.setattr("faceport.gallery.stores.sqlite.can_write", lambda _: False)
    monkeypatch.setattr("faceport.gallery.stores.sqlite.reading_mode", lambda _: "immutable")
    with Gallery(path) as reading:
        assert reading.read_only
        assert reading.search([embedding(0)])[0].name == "ann"
        monkeypatch.undo()
        with Gallery(path) as writing:
            writing.enroll("bob", samples([1]))
            assert reading.search([embedding(1)], threshold=0.9)[0].name == "bob"
        assert reading.search([embedding(1)], threshold=0.9)[0].name == "bob"


def test_a_cut_vector_is_found(gallery: Gallery) -> None:
    execute(gallery.location, "UPDATE templates SET vector = substr(vector, 1, 10)")
    with pytest.raises(GalleryError, match="another length"):
        gallery.search([embedding(0)], threshold=0.3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE templates SET vector = zeroblob(64)",
        "UPDATE meta SET value = 'abc' WHERE key = 'dim'",
        "UPDATE meta SET value = 'float8' WHERE key = 'vector_type'",
        "UPDATE meta SET value = '-1' WHERE key = 'version'",
        "DELETE FROM meta WHERE key = 'fingerprint'",
    ],
)
def test_a_changed_file_is_found(gallery: Gallery, statement: str) -> None:
    execute(gallery.location, statement)
    with pytest.raises(GalleryError, match="damaged"):
        gallery.search([embedding(0)], threshold=0.3)
    assert gallery.check() != []


def test_settings_that_were_damaged_are_told(gallery: Gallery) -> None:
    for text in ("{", "[]", '{"fusion": "mean"}', '{"threshold_origin": null, "fusion": "x"}'):
        with gallery._store.transaction() as writer:
            writer.set_meta("settings", text)
        with pytest.raises(GalleryError, match="settings that can't be read"):
            gallery.search([embedding(0)])
        assert [problem.kind for problem in gallery.check()] == ["database"]


def test_the_audit_log_is_append_only(gallery: Gallery) -> None:
    gallery.change_settings(audit=True)
    for statement in ("DELETE FROM audit", "UPDATE audit SET details = '{}'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            execute(gallery.location, statement)


def test_what_is_deleted_is_in_none_of_the_files(gallery: Gallery) -> None:
    gallery.enroll("bob", samples([2]))
    gone = embedding(2).vector.tobytes()
    path = Path(gallery.location)

    def everything() -> bytes:
        return b"".join(p.read_bytes() for p in path.parent.iterdir())

    assert gone in everything()
    gallery.delete("bob")
    assert gone not in everything()
    assert b"bob" not in everything()
    assert embedding(0).vector.tobytes() in everything()


def test_what_a_reader_holds_back_is_erased_later(gallery: Gallery) -> None:
    gallery.enroll("bob", samples([2]))
    path = Path(gallery.location)
    with Gallery(path) as other, other._store.snapshot() as reader:
        gallery.delete("bob")
        assert "bob" in reader.names().values()
    gallery.set_metadata("ann", {"a": 1})
    left = b"".join(p.read_bytes() for p in path.parent.iterdir())
    assert embedding(2).vector.tobytes() not in left


def test_a_file_nobody_else_may_read_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    path.touch(mode=0o600)
    with Gallery(path) as gallery:
        gallery.enroll("ann", samples([0]))
        modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes == {0o600}


def test_a_closed_store_can_be_closed_again(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "g.db"))
    with store.snapshot():
        store.close()
    store.close()
    with pytest.raises(GalleryError, match="closed"), store.transaction():
        pass
    with pytest.raises(GalleryError, match="closed"), store.snapshot():
        pass


KILLED = """
import os, sys
from faceport.gallery import Gallery
gallery = Gallery(sys.argv[1])
with gallery._store.transaction() as writer:
    writer.add_identity("half", "{}", "now")
    os._exit(9)
"""


def test_a_killed_enrolment_leaves_what_was_there(gallery: Gallery) -> None:
    gallery.close()
    done = subprocess.run([sys.executable, "-c", KILLED, gallery.location], check=False)
    assert done.returncode == 9
    with Gallery(gallery.location, create=False) as again:
        assert [i.name for i in again.identities()] == ["ann"]
        assert again.search([embedding(0)])[0].name == "ann"
        assert again.check() == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="/proc lists a process's files")
def test_a_refused_key_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    open_store(str(path)).close()
    # The error is held, and with it all that its frames hold.
    with pytest.raises(GalleryError, match="not sealed") as error:
        open_store(str(path), key=bytes(32))
    opened = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
    assert str(path.resolve()) not in opened
    del error
