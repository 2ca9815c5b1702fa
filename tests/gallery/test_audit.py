from __future__ import annotations

import dataclasses
import hashlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.gallery.audit import START, AuditEntry, broken_links, next_entry


def log(count: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for i in range(count):
        details = {"name": f"person {i} é\n", "score": 0.1 * i, "threshold": None}
        last = entries[-1] if entries else None
        entries.append(next_entry(last, f"2026-01-01T00:00:0{i}+00:00", "identify", details))
    return entries


def test_a_whole_log_has_no_breaks() -> None:
    assert broken_links([], 0) == []
    assert broken_links(log(5), 5) == []


def test_the_chain_is_what_is_documented() -> None:
    first, second = log(2)
    chain = START
    for entry in (first, second):
        record = [chain, entry.number, entry.at, entry.action, dict(entry.details)]
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        chain = hashlib.sha256(text.encode()).hexdigest()
        assert entry.chain == chain


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_every_change_is_seen(data: st.DataObject) -> None:
    entries = log(data.draw(st.integers(1, 7)))
    count = len(entries)
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
    elif change == "text":
        other = {**entries[i].details, "name": "nobody"}
        entries[i] = dataclasses.replace(entries[i], details=other)
    elif change == "time":
        entries[i] = dataclasses.replace(entries[i], at="2020-01-01T00:00:00+00:00")
    else:
        entries[i] = dataclasses.replace(entries[i], action="export")
    assert broken_links(entries, count) != []


def test_an_emptied_log_is_seen() -> None:
    assert broken_links([], 3) == ["the audit log ends at entry 0, not at 3"]
