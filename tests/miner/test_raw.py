import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.raw import RawPages
from miner.transport import PassingError


def body(number: int) -> bytes:
    page = {"meta": {"count": 3, "next_cursor": f"c{number}"}, "results": [{"id": f"W{number}"}]}
    return json.dumps(page).encode()


def pages(path: Path, n: int) -> RawPages:
    raw = RawPages(path / "raw" / "part.jsonl.gz")
    for number in range(n):
        raw.add(gzip.compress(body(number)) if number % 2 else body(number))
    return raw


def test_pages_come_back_in_order_and_can_be_read_as_lines(tmp_path: Path) -> None:
    raw = pages(tmp_path, 3)
    assert list(raw) == [body(number) for number in range(3)]
    assert [page.cursor for page in raw.kept()] == ["c0", "c1", "c2"]
    assert gzip.decompress(raw.path.read_bytes()).splitlines() == list(raw)


def test_no_file_is_no_pages(tmp_path: Path) -> None:
    assert pages(tmp_path, 0).kept() == []


def test_a_page_that_is_not_whole_is_not_kept(tmp_path: Path) -> None:
    raw = pages(tmp_path, 1)
    with pytest.raises(PassingError):
        raw.add(gzip.compress(body(1))[:-4])
    assert list(raw) == [body(0)]


@given(share=st.floats(0, 1), is_damaged=st.booleans())
def test_what_a_kill_or_power_cut_left_is_cut_off_and_the_next_page_follows(
    tmp_path_factory: pytest.TempPathFactory, share: float, is_damaged: bool
) -> None:
    raw = pages(tmp_path_factory.mktemp("r"), 3)
    whole = raw.path.read_bytes()
    ends = [len(pages(tmp_path_factory.mktemp("e"), n).path.read_bytes()) for n in range(1, 4)]
    cut = int(share * len(whole))
    raw.path.write_bytes(whole[:cut] + b"\xff" * (len(whole) - cut) * is_damaged)
    n_whole = sum(end <= cut for end in ends)
    assert len(raw.kept()) == n_whole
    raw.add(body(9))
    assert list(raw) == [*(body(number) for number in range(n_whole)), body(9)]
