from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.gallery.stores.postgres.address import (
    Options,
    is_postgres,
    parse_address,
    redacted,
)


def test_our_parameters_are_taken_out_and_libpqs_stay_as_they_are() -> None:
    address = parse_address(
        "postgresql://ann:p%40ss@db:5433/faces?sslmode=verify-full&gallery=door_1"
        "&sslrootcert=/etc/my%20ca.pem&index=none&ef_search=200&pool_size=9"
    )
    assert address.conninfo == (
        "postgresql://ann:p%40ss@db:5433/faces?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem"
    )
    assert address.location == "postgresql://ann@db:5433/faces?gallery=door_1"
    assert address.options == Options("door_1", index="none", ef_search=200, pool_size=9)
    assert address.schema == "faceport_door_1"


def test_without_a_name_the_schema_is_faceport() -> None:
    address = parse_address("postgres:///faces")
    assert (address.schema, address.options) == ("faceport", Options())
    assert address.conninfo == "postgres:///faces"


@pytest.mark.parametrize(
    "query",
    [
        "gallery=",
        "gallery=Door",
        "gallery=a-b",
        'gallery=a"b',
        "gallery=" + "x" * 41,
        "index=ivfflat",
        "m=1",
        "m=101",
        "m=x",
        "m=-4",
        "m=²",
        "m=",
        "ef_construction=31",
        "ef_search=0",
        "ef_search=1001",
        "exact=yes",
        "pool_size=0",
        "statement_timeout=0",
    ],
)
def test_parameters_out_of_range_are_refused(query: str) -> None:
    with pytest.raises(InputError, match=query.split("=", maxsplit=1)[0]):
        parse_address(f"postgresql://u:secret@h/d?{query}")


def test_other_addresses_are_no_postgresql() -> None:
    assert is_postgres("postgresql://h/d")
    assert is_postgres("postgres://h/d")
    for other in ("g.db", "/tmp/postgresql://x", "mysql://h/d", 3):
        assert not is_postgres(other)
    with pytest.raises(InputError, match="expected postgresql://"):
        parse_address("mysql://u:p@h/d")


@given(st.text(st.characters(codec="ascii", exclude_characters="\0&#"), min_size=1, max_size=12))
def test_no_part_of_a_password_is_shown(odd: str) -> None:
    """Whatever is in it, also what should have been percent-encoded."""
    password = f"S3cret{odd}S3cret"
    for uri in (
        f"postgresql://ann:{password}@db/faces?gallery=g",
        f"postgresql://ann:{password}@db/faces?sslmode=require",
        f"postgresql://db/faces?user=ann&password={password}",
        f"postgresql://ann@db/faces?password={password}&gallery=g",
    ):
        assert "S3cret" not in redacted(uri)
        assert redacted(uri).startswith("postgresql://")
        with suppress(InputError):
            assert "S3cret" not in repr(parse_address(uri))


def test_where_it_is_is_shown() -> None:
    for uri in (
        "postgresql://ann@db:5433/faces?gallery=door",
        "postgresql:///faces?host=/run/postgresql&port=5433&user=ann",
    ):
        assert redacted(uri) == uri
    assert redacted("postgresql://ann:pw@db/faces?sslmode=require&gallery=x") == (
        "postgresql://ann@db/faces?gallery=x"
    )


def test_a_refused_parameter_shows_no_password() -> None:
    with pytest.raises(InputError) as caught:
        parse_address("postgresql://ann:S3cret@db/faces?m=0&password=S3cret")
    assert "S3cret" not in str(caught.value)
