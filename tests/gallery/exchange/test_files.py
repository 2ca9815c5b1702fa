from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import GalleryError
from faceport.gallery.crops import PNG_SIGNATURE
from faceport.gallery.exchange import Content, check_content, read_content, redacted, write_content
from faceport.gallery.types import Settings, Space, ThresholdOrigin

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def content(
    names: list[str] | None = None, *, counts: list[int] | None = None, crops: bool = True
) -> Content:
    names = ["Ann", "Bob\n'; DROP TABLE", "../Zoë"] if names is None else names
    counts = [2, 1, 3][: len(names)] if counts is None else counts
    rng = np.random.default_rng(len(names))
    total = sum(counts)
    vectors = rng.normal(size=(total, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Content(
        space=Space("f" * 64, 8),
        settings=Settings(threshold=0.4, threshold_origin=ThresholdOrigin(1e-3, 40_000)),
        names=tuple(names),
        metadata=tuple({"team": "blü", "n": i} for i in range(len(names))),
        owner=np.repeat(np.arange(len(names)), counts),
        vectors=vectors.astype(np.float32),
        norms=rng.uniform(1, 30, total).astype(np.float32),
        sources=tuple(f"{i}/é.jpg" for i in range(total)),
        image_hashes=tuple("" if i == 1 else f"{i:064x}" for i in range(total)),
        added=("2026-01-01T00:00:00+00:00",) * total,
        crops=tuple(PNG_SIGNATURE + bytes([i]) if crops and i % 2 else None for i in range(total)),
    )


def same(found: Content, expected: Content) -> None:
    for name in ("space", "settings", "names", "sources", "image_hashes", "added", "crops"):
        assert getattr(found, name) == getattr(expected, name), name
    assert [dict(one) for one in found.metadata] == [dict(one) for one in expected.metadata]
    assert found.redacted == expected.redacted
    for name in ("owner", "vectors", "norms"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype


@pytest.fixture(params=["people.parquet", "people"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.mark.parametrize("crops", [True, False])
def test_what_was_written_is_read(target: Path, crops: bool) -> None:
    write_content(content(), target)
    # Again, over what is there.
    write_content(content(crops=crops), target)
    same(read_content(target), content(crops=crops))
    same(read_content(target), read_content(target))
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@settings(max_examples=15, deadline=None)
@given(
    names=st.lists(
        NAMES.filter(lambda n: n.strip() and n != "unknown" and len(n) < 201),
        min_size=1,
        max_size=3,
        unique=True,
    )
)
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    for target in (folder / "a.parquet", folder / "a"):
        write_content(content(names), target)
        assert read_content(target).names == tuple(names)


def test_other_programs_read_it(tmp_path: Path) -> None:
    write_content(content(), tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 8)
    assert table.column("name").to_pylist()[:3] == ["Ann", "Ann", "Bob\n'; DROP TABLE"]
    write_content(content(), tmp_path / "a")
    with np.load(tmp_path / "a" / "vectors.npz", allow_pickle=False) as arrays:
        assert arrays["vectors"].dtype == np.float32
    description = json.loads((tmp_path / "a" / "gallery.json").read_text())
    assert description["identities"][2]["name"] == "../Zoë"


BROKEN: dict[str, Callable[[Content], Content]] = {
    "length": lambda c: replace(c, vectors=c.vectors * np.float32(1.01)),
    "vector 0": lambda c: replace(c, vectors=np.full_like(c.vectors, np.nan)),
    "norm": lambda c: replace(c, norms=np.full_like(c.norms, -1)),
    "unknown": lambda c: replace(c, names=("Ann", "unknown", "Zoë")),
    "twice": lambda c: replace(c, names=("Ann", "Ann", "Zoë")),
    "other identities": lambda c: replace(c, owner=c.owner[::-1].copy()),
    "image hash": lambda c: replace(c, image_hashes=("x" * 64, *c.image_hashes[1:])),
    "PNG": lambda c: replace(c, crops=(b"GIF89a", *c.crops[1:])),
    "sources": lambda c: replace(c, sources=c.sources[1:]),
    "metadata": lambda c: replace(c, metadata=([], {}, {})),  # type: ignore[arg-type]
    r"\(6, 8\)": lambda c: replace(c, space=Space("f" * 64, 7)),
}


@pytest.mark.parametrize("words", BROKEN)
def test_what_is_not_sound_is_refused(words: str) -> None:
    check_content(content(), "x")
    with pytest.raises(GalleryError, match=words):
        check_content(BROKEN[words](content()), "x")


@pytest.mark.parametrize("words", ["length", "unknown", "PNG", "image hash"])
def test_it_is_refused_from_a_file_too(words: str, target: Path) -> None:
    write_content(BROKEN[words](content()), target)
    with pytest.raises(GalleryError, match=words):
        read_content(target)


def test_what_is_no_export(target: Path, tmp_path: Path) -> None:
    if target.suffix:
        target.write_bytes(b"PAR1 nothing")
    else:
        target.mkdir()
        (target / "mine.txt").write_text("kept")
    for act in (lambda: read_content(target), lambda: write_content(content(), target)):
        with pytest.raises(GalleryError):
            act()
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    for act in (lambda: read_content(other), lambda: write_content(content(), other)):
        with pytest.raises(GalleryError, match="something else"):
            act()
    if not target.suffix:
        assert (target / "mine.txt").read_text() == "kept"


def test_a_damaged_or_newer_export(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    write_content(content(), folder)
    text = (folder / "gallery.json").read_text()
    (folder / "gallery.json").write_text(text.replace('"version": 1', '"version": 2'))
    with pytest.raises(GalleryError, match="version 2"):
        read_content(folder)
    for before, after in (
        ('"dim": 8', '"dim": "8"'),
        ('"source"', '"sauce"'),
        ('"Ann"', "7"),
        ("{", "["),
    ):
        (folder / "gallery.json").write_text(text.replace(before, after, 1))
        with pytest.raises(GalleryError):
            read_content(folder)
    (folder / "gallery.json").write_text(text)
    data = (folder / "vectors.npz").read_bytes()
    (folder / "vectors.npz").write_bytes(data[:-1])
    with pytest.raises(GalleryError, match="SHA-256"):
        read_content(folder)
    parquet = tmp_path / "a.parquet"
    write_content(content(), parquet)
    parquet.write_bytes(parquet.read_bytes()[:-20])
    with pytest.raises(GalleryError):
        read_content(parquet)


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return pytest.fail, ("code from a file was run",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    import hashlib

    folder = tmp_path / "a"
    write_content(content(), folder)
    owner = np.array([Bomb()] * 6, dtype=object)
    np.savez(folder / "vectors.npz", vectors=content().vectors, norms=content().norms, owner=owner)
    data = (folder / "vectors.npz").read_bytes()
    assert pickle.dumps(owner)[:2] in data
    values = json.loads((folder / "gallery.json").read_text())
    values["vectors_sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "gallery.json").write_text(json.dumps(values))
    with pytest.raises(GalleryError, match="pickle"):
        read_content(folder)


def test_columns_of_another_type_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_content(content(), path)
    table = pq.read_table(path)
    place = table.schema.get_field_index("norm")
    for changed in (
        table.set_column(place, "norm", table.column("norm").cast(pa.float64())),
        table.drop_columns(["source"]),
        table.set_column(place, "norm", pa.array([None] * 6, pa.float32())),
    ):
        pq.write_table(changed, path)
        with pytest.raises(GalleryError, match="damaged"):
            read_content(path)


def test_redaction_leaves_vectors_and_nothing_else(target: Path) -> None:
    original = content()
    hidden = redacted(original)
    write_content(hidden, target)
    found = read_content(target)
    assert found.redacted
    data = b"".join(p.read_bytes() for p in [target, *target.rglob("*")] if p.is_file())
    for secret in (*original.names, *original.sources, "blü", "2026-01-01", f"{2:064x}"):
        assert secret.encode() not in data
        assert json.dumps(secret)[1:-1].encode() not in data
    assert len(set(found.names)) == 3
    assert set(found.crops) == {None}
    assert set(found.names).isdisjoint(redacted(original).names)
    # The same groups of vectors, under other names.
    groups = {frozenset(map(bytes, c.vectors[c.owner == i])) for c in (original,) for i in range(3)}
    assert groups == {frozenset(map(bytes, found.vectors[found.owner == i])) for i in range(3)}
    rows = {bytes(v): n for v, n in zip(original.vectors, original.norms, strict=True)}
    assert [rows[bytes(v)] for v in found.vectors] == found.norms.tolist()


def test_a_full_disk_leaves_the_old_export(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_content(content(), target)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(GalleryError, match="No space left"):
        write_content(content(["Eve"]), target)
    assert read_content(target).names == content().names
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    "bad",
    [
        replace(content(), metadata=({"a": float("nan")}, {}, {})),
        replace(content(), settings=Settings(threshold=5.0)),
    ],
    ids=["metadata", "settings"],
)
def test_what_a_gallery_would_refuse_is_refused_before_anything_is_made(bad: Content) -> None:
    with pytest.raises(GalleryError, match=r"x holds no sound gallery.*nothing was imported"):
        check_content(bad, "x")


def test_a_parquet_column_twice_or_of_other_bytes_than_text_is_refused(tmp_path: Path) -> None:
    write_content(content(), tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    wrong = pa.array([b"\xff\xfe"] * len(table), pa.binary())
    texts = pa.Array.from_buffers(pa.string(), len(table), wrong.buffers())
    twice = table.append_column("name", table["name"])
    other = table.set_column(table.schema.get_field_index("name"), "name", texts)
    for number, broken in enumerate((twice, other)):
        pq.write_table(broken, tmp_path / f"{number}.parquet")
        with pytest.raises(GalleryError, match="is damaged"):
            read_content(tmp_path / f"{number}.parquet")
