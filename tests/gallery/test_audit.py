from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.gallery.audit import START, AuditEntry, Head, broken_links, head_after, next_entry

KEY = b"k" * 32


def log(count: int, key: bytes | None = None) -> tuple[list[AuditEntry], Head]:
    entries, head = [], Head()
    for i in range(count):
        details = {"name": f"person {i} é\n", "score": 0.1 * i, "threshold": None}
        entries.append(next_entry(head, f"2026-01-01T00:00:0{i}+00:00", "identify", details, key))
        head = head_after(entries[-1])
    return entries, head


@pytest.mark.parametrize("key", [None, KEY])
def test_a_whole_log_has_no_breaks(key: bytes | None) -> None:
    assert broken_links([], Head(), key) == []
    assert broken_links(*log(5, key), key) == []


def test_the_chain_is_what_is_documented() -> None:
    (first, second), _ = log(2)
    chain = START
    for entry in (first, second):
        record = [chain, entry.number, entry.at, entry.action, dict(entry.details)]
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        chain = hashlib.sha256(text.encode()).hexdigest()
        assert entry.chain == chain


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_every_change_is_seen(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([None, KEY]))
    entries, head = log(data.draw(st.integers(1, 7)), key)
    i = data.draw(st.integers(0, len(entries) - 1))
    change = data.draw(st.sampled_from(["cut", "text", "time", "action", "twice", "swap"]))
    if change == "cut":
        del entries[i]
    elif change == "twice":
        entries.insert(i, entries[i])
    elif change == "swap":
        if len(entries) == 1:
            return
        j = (i + 1) % len(entries)
        entries[i], entries[j] = entries[j], entries[i]
    else:
        changed = {
            "text": {"details": {**entries[i].details, "name": "nobody"}},
            "time": {"at": "2020-01-01T00:00:00+00:00"},
            "action": {"action": "export"},
        }[change]
        entries[i] = dataclasses.replace(entries[i], **changed)
    assert broken_links(entries, head, key) != []


def test_a_rewritten_chain_needs_the_key() -> None:
    forged, head = log(3)
    assert broken_links(forged, head) == []
    assert broken_links(forged, head, KEY) != []


def test_an_emptied_log_is_seen() -> None:
    _, head = log(3)
    assert broken_links([], head) == ["the audit log ends at entry 0, not at 3"]
