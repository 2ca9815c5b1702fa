from __future__ import annotations

import pickle
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.benchmarks.accuracy.lists.pickle_data import read_pickle_data
from faceport.errors import InputError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.binary() | st.booleans() | st.none() | st.integers(-(2**31), 2**31) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pickles") / "a.bin"


def read(place: Path, data: bytes) -> object:
    place.write_bytes(data)
    return read_pickle_data(place)


@given(value=PLAIN, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_is_what_pickle_itself_reads(place: Path, value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert repr(read(place, data)) == repr(pickle.loads(data))


@given(data=st.binary(max_size=200))
def test_random_bytes_are_read_or_refused(place: Path, data: bytes) -> None:
    with suppress(InputError):
        read(place, data)


@given(cut=st.integers(0, 199), flip=st.integers(0, 255), protocol=st.sampled_from(PROTOCOLS))
def test_a_damaged_pickle_is_read_or_refused(
    place: Path, cut: int, flip: int, protocol: int
) -> None:
    data = bytearray(pickle.dumps(([b"abc", b"\xff\xd8" * 40], [True, False]), protocol))
    data[cut % len(data)] = flip
    with suppress(InputError):
        read(place, bytes(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_part_of_a_pickle_passes_for_the_whole(place: Path, protocol: int) -> None:
    data = pickle.dumps(([b"abc", b"\xff\xd8"], [True, False]), protocol)
    for size in range(len(data)):
        with pytest.raises(InputError):
            read(place, data[:size])
    with pytest.raises(InputError, match="goes on behind its end"):
        read(place, data + b"\0")


class Creates:
    """Pickles as a call that makes a file."""

    def __init__(self, path: Path, function: object) -> None:
        self.path, self.function = path, function

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return self.function, (str(self.path), "w")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_in_a_pickle_is_not_made(place: Path, protocol: int) -> None:
    made = place.with_name(f"made-{protocol}")
    data = pickle.dumps(([b"a", Creates(made, open)], [True]), protocol)
    with pytest.raises(InputError, match=r"it names (io|_io|__builtin__|builtins)\.open"):
        read(place, data)
    assert not made.exists()
    # The same pickle does make the file where it is loaded: the test would see it.
    pickle.loads(data)[0][1].close()
    assert made.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cos\nsystem\n(S'touch x'\ntR.", "it names os.system"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x01x\x85R.", "it names posix.system"),
        (b"\x80\x02c__builtin__\neval\nU\x011\x85R.", "it names __builtin__.eval"),
        (b"\x80\x04\x8c\x07_codecs\x8c\x06decode\x93.", "it names _codecs.decode"),
        (b"(S'x'\ni__builtin__\neval\n.", "opcode b'i'"),
        (b"\x82\x01.", "opcode"),
        (b"P1\n.", "opcode b'P'"),
        (b"}.", "opcode"),
        (b"\x80\x02U\x01xU\x01y\x85R.", "calls something that is no function"),
        (b"\x80\x02c_codecs\nencode\n(U\x01xU\x06latin1tR.", "_codecs.encode with other"),
        (
            b"\x80\x02c_codecs\nencode\n(X\x01\0\0\0xX\x05\0\0\0utf-8tR.",
            "_codecs.encode with other",
        ),
        (b"\x80\x02cnumpy\nndarray\n)R.", "calls something that is no function"),
        (b"\x80\x02]N}b.", "opcode"),
        (b"\x80\x02]Nb.", "sets the state"),
        (b"\x80\x02cnumpy\ndtype\nU\x02O8\x85R.", "array of another type"),
        (b"\x80\x06.", "later protocol"),
        (b".", "takes a value where there is none"),
        (b"NN.", "values left over"),
        (b"(N.", "values left over"),
        (b"h\x01.", "recalls what it did not keep"),
        (b"Na.", "takes a value where there is none"),
        (b"NNa.", "adds to something that is no list"),
        (b"]e.", "ends a list that it did not begin"),
        (b"](\x85.", "takes a value where there is none"),
        (b"I1e9\n.", "number that is none"),
        (b"I" + b"9" * 5000 + b"\n.", "number that is none"),
        (b"Sabc\n.", "string without quotes"),
        (b"S'\\x1'\n.", "an escape that"),
        (b"S'\\q'\n.", "an escape that"),
        (b"S'\\'\n.", "an escape that"),
        (b"X\x01\0\0\0\xff.", "text that is none"),
        (b"(" * 65 + b".", "nested too deep"),
        (b"", "cut short"),
        (b"B" + struct.pack("<I", 2**31) + b"abc.", "cut short"),
        (b"\x8e" + struct.pack("<Q", 2**63) + b"abc.", "cut short"),
        (b"\x95" + struct.pack("<Q", 2**40) + b"N.", "cut short"),
    ],
)
def test_what_is_no_plain_data_is_refused(place: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(place, data)
    assert message in str(caught.value)


def test_a_claim_of_gigabytes_allocates_nothing(place: Path) -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="cut short"):
            read(place, b"\x8e" + struct.pack("<Q", 2**31) + b"abc.")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_text_that_is_encoded_again_and_again_is_refused(place: Path) -> None:
    text = b"X" + struct.pack("<I", 100_000) + b"x" * 100_000 + b"q\1"
    encode = b"c_codecs\nencode\nq\0" + text + b"X\6\0\0\0latin1q\2\x86q\3R"
    again = b"h\0h\3R"
    with pytest.raises(InputError, match="repeats itself"):
        read(place, b"\x80\x02](" + encode + again * 1000 + b"e.")
    one = read(place, b"\x80\x02](" + encode + b"e.")
    assert one == [b"x" * 100_000]


def test_lists_that_hold_each_other_do_not_blow_up(place: Path) -> None:
    # Each list holds the one before twice: 2^200 leaves if anybody walked it.
    doubled = b"".join(b"0(h%ch%clq%c" % (i, i, i + 1) for i in range(200))
    value = read(place, b"\x80\x02]q\0" + doubled + b".")
    assert isinstance(value, list)
    assert value[0] is value[1]


def test_a_list_in_itself_and_deep_nesting_are_harmless(place: Path) -> None:
    value = read(place, b"]q\0h\0a.")
    assert isinstance(value, list)
    assert value[0] is value
    deep = read(place, b")" + b"\x85" * 200_000 + b".")
    assert isinstance(deep, tuple)


def test_the_number_of_opcodes_has_a_limit(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceport.benchmarks.accuracy.lists import pickle_machine

    monkeypatch.setattr(pickle_machine, "MOST_STEPS", 100)
    assert read(place, b"]" + b"N0" * 49 + b".") == []
    with pytest.raises(InputError, match="too many values"):
        read(place, b"]" + b"N0" * 50 + b".")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.bin could not be read"):
        read_pickle_data(tmp_path / "a.bin")
