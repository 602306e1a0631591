import csv
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from shapes import Arrays, arrays, written

from data.errors import InputError, NetworkError
from experiments.image_files import folder, packed, table
from experiments.medmnist import Edition, edition, editions, fetch
from experiments.registry import named, target
from experiments.targets import Target, hashes, n_shared, read


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return read(written(tmp_path_factory.mktemp("t") / "shapes.npz"))


def test_a_file_in_medmnist_shape_is_read(shapes: Target) -> None:
    sizes = [len(split.labels) for split in (shapes.train, shapes.val, shapes.test)]
    assert sizes == [80, 40, 60]
    assert shapes.train.labels.ndim == 1
    assert (shapes.n_leaked, len(shapes.sha256), shapes.classes) == (0, 12, ("0", "1"))


def test_leaks_are_taken_out_of_the_earlier_split_and_counted(tmp_path: Path) -> None:
    made = arrays()
    made["train_images"][:3] = made["test_images"][:3]
    made["val_images"][0] = made["test_images"][5]
    leaky = read(written(tmp_path / "l.npz", **made))
    assert leaky.n_leaked == 4
    assert (len(leaky.train.labels), len(leaky.val.labels), len(leaky.test.labels)) == (77, 39, 60)


def test_a_grey_image_stored_in_colour_is_the_same() -> None:
    grey = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    colour = np.stack([grey] * 3, axis=3)
    assert hashes(grey) == hashes(colour)
    colour[0, 0, 0, 0] = 99
    assert hashes(grey) != hashes(colour)


def test_images_that_a_source_has_seen_are_counted(shapes: Target, tmp_path: Path) -> None:
    made = arrays(seed=1)
    made["train_images"][:2] = shapes.test.images[:2]
    made["val_images"][0] = shapes.val.images[0]
    made["test_images"][0] = shapes.test.images[9]  # a source does not learn from its own test
    assert n_shared(read(written(tmp_path / "s.npz", **made)), shapes) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"val_labels": None}, "no array 'val_labels'"),
        ({"train_images": np.zeros((80, 28, 28))}, "train_images is float64"),
        ({"train_images": np.zeros((80, 28), np.uint8)}, "train_images is uint8 of shape"),
        ({"train_labels": np.zeros((7, 1), int)}, "one whole number"),
        ({"train_labels": np.full((80, 3), 2)}, "3 columns with values up to 2"),
        ({"train_labels": np.zeros((80, 3), int)}, "differ in label columns"),
        ({"train_labels": np.zeros((80, 1), int)}, "single class"),
        ({"test_labels": np.zeros((60, 1), int)}, "test_labels has classes"),
        ({"test_images": np.zeros((60, 32, 32), np.uint8)}, "differ in image shape"),
        (
            {"val_images": np.zeros((0, 28, 28), np.uint8), "val_labels": np.zeros((0, 1), int)},
            "no image",
        ),
        ({"val_labels": np.array([{}] * 40)}, "cannot be read"),
        ({"classes": np.array(["one"])}, "1 names, labels reach 1"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, changes: Arrays, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(written(tmp_path / "w.npz", **changes))


def test_several_labels_an_image_are_columns(tmp_path: Path) -> None:
    made = arrays()
    for name in ("train", "val", "test"):
        one = made[f"{name}_labels"]
        made[f"{name}_labels"] = np.concatenate([one, 1 - one, one], axis=1)
    found = read(written(tmp_path / "m.npz", **made, classes=np.array(["a", "b", "c"])))
    assert found.is_multi_label
    assert found.classes == ("a", "b", "c")
    made["val_labels"][:, 1] = 0
    with pytest.raises(InputError, match="single class in column 1"):
        read(written(tmp_path / "o.npz", **made))


def test_classes_are_counted_from_zero_and_named(tmp_path: Path) -> None:
    made = {name: a * 3 + 2 if "labels" in name else a for name, a in arrays().items()}
    found = read(written(tmp_path / "c.npz", **made))
    assert found.classes == ("2", "5")
    assert set(found.test.labels) == {0, 1}


def test_what_is_no_npz_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="fetch it again"):
        read(tmp_path / "x.npz")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.npz")


@given(hnp.arrays(st.sampled_from([np.uint8, np.int64, np.float32]), hnp.array_shapes(max_side=4)))
def test_any_array_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, array: Any) -> None:
    path = tmp_path_factory.mktemp("h") / "a.npz"
    try:
        read(written(path, train_images=array, train_labels=array))
    except InputError as e:
        assert "a.npz" in str(e)


# Image files


def picture(path: Path, value: int, *, side: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(abs(hash(path.name)) % 2**32)
    pixels = rng.integers(0, 50, (side, side), dtype=np.uint8) + np.uint8(value)
    Image.fromarray(pixels).save(path)
    return path


def class_folders(root: Path, n: int = 24) -> Path:
    """n images of each of two classes, two of each patient."""
    for i in range(n):
        picture(root / "bright" / f"p{i // 2}_{i}.png", 200)
        picture(root / "dark" / f"p{i // 2}_{i}.png", 10)
    return root


def read_folder(root: Path, place: Path, **options: Any) -> Target:
    return target(str(root), place=place, size_px=8, **options)


def test_a_folder_of_classes_is_split_by_patient(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "heart")
    found = read_folder(root, tmp_path / "x", patient=r"(p\d+)_")
    assert (found.name, found.classes, found.n_leaked) == ("heart", ("bright", "dark"), 0)
    sizes = [len(split.labels) for split in (found.train, found.val, found.test)]
    assert sum(sizes) == 48
    assert found.train.images.shape[1:] == (8, 8)
    entries = folder(root, patient=r"(p\d+)_")
    assert {entry.patient for entry in entries} == {f"p{i}" for i in range(12)}


def test_a_patient_in_two_splits_leaves_the_earlier_one(tmp_path: Path) -> None:
    for split, patients in (("train", "abc"), ("val", "cd"), ("test", "de")):
        for who in patients:
            for label, value in (("bright", 200), ("dark", 10)):
                picture(tmp_path / "r" / split / label / f"{who}-{split}.png", value)
    found = read_folder(tmp_path / "r", tmp_path / "x", patient=r"/(\w)-")
    sizes = [len(split.labels) for split in (found.train, found.val, found.test)]
    assert (sizes, found.n_leaked) == ([4, 2, 4], 4)


def test_broken_images_are_listed_and_not_fatal(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "r")
    (root / "dark" / "empty.png").write_bytes(b"")
    (root / "dark" / "half.png").write_bytes((root / "dark" / "p0_0.png").read_bytes()[:60])
    (root / "dark" / "text.jpg").write_text("not an image")
    found = read_folder(root, tmp_path / "x")
    assert sorted(Path(b.path).name for b in found.broken) == ["empty.png", "half.png", "text.jpg"]
    assert all(b.reason for b in found.broken)
    assert len(found.train.labels) + len(found.val.labels) + len(found.test.labels) == 48


def test_files_are_decoded_once_and_anew_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "r")
    first = read_folder(root, tmp_path / "x")
    opened: list[Any] = []
    monkeypatch.setattr(Image, "open", opened.append)
    assert read_folder(root, tmp_path / "x").sha256 == first.sha256
    assert not opened
    monkeypatch.undo()
    picture(root / "dark" / "p0_0.png", 60, side=11)
    assert read_folder(root, tmp_path / "x").sha256 != first.sha256


def test_sixteen_bits_and_colour_are_read(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "r")
    deep = (np.arange(81).reshape(9, 9) * 50).astype(np.uint16)
    Image.fromarray(deep).save(root / "dark" / "deep.png")
    Image.new("RGB", (9, 9), (250, 10, 10)).save(root / "dark" / "red.png")
    found = read_folder(root, tmp_path / "x")
    assert found.train.images.shape[1:] == (8, 8, 3)
    assert not found.broken


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patient": r"q(\d+)"}, "finds none in"),
        ({"patient": "p"}, "no group"),
        ({"patient": "("}, "not a regular expression"),
    ],
)
def test_a_wrong_patient_expression_is_told(tmp_path: Path, options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_folder(class_folders(tmp_path / "r", 2), tmp_path / "x", **options)


def test_folders_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such target"):
        read_folder(tmp_path / "none", tmp_path / "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no image"):
        read_folder(tmp_path / "empty", tmp_path / "x")
    for i in range(12):
        picture(tmp_path / "one" / "dark" / f"{i}.png", 10)
    with pytest.raises(InputError, match="single class, dark"):
        read_folder(tmp_path / "one", tmp_path / "x")
    picture(tmp_path / "one" / "bright" / "a.png", 10)
    with pytest.raises(InputError, match="every split needs every class"):
        read_folder(tmp_path / "one", tmp_path / "x")
    with pytest.raises(InputError, match="are needed to draw splits"):
        read_folder(class_folders(tmp_path / "few", 2), tmp_path / "x")
    (tmp_path / "half" / "train" / "a").mkdir(parents=True)
    with pytest.raises(InputError, match="none named val"):
        read_folder(tmp_path / "half", tmp_path / "x")
    (tmp_path / "bad" / "a").mkdir(parents=True)
    (tmp_path / "bad" / "a" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match="no image can be read"):
        read_folder(tmp_path / "bad", tmp_path / "x")


def csv_of(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_of_paths_and_labels_is_read(tmp_path: Path) -> None:
    rows = [["path", "labels", "split", "patient"]]
    for i, split in enumerate(["train"] * 6 + ["val"] * 4 + ["test"] * 4):
        picture(tmp_path / f"{i}.png", 10 + 40 * (i % 4))
        rows.append([f"{i}.png", ["", "a", "b", "a|b"][i % 4], split, f"p{i}"])
    found = target(str(csv_of(tmp_path / "t.csv", rows)), place=tmp_path / "x", size_px=8)
    assert found.is_multi_label
    assert found.classes == ("a", "b")
    assert found.val.labels.tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert [len(split.labels) for split in (found.train, found.val, found.test)] == [6, 4, 4]


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ([["file", "label"]], 1, "expected path, and label or labels"),
        ([["path", "label", "labels"]], 1, "expected path"),
        ([["path", "label"], ["a.png", "x"], ["b.png"]], 3, "not as many cells"),
        ([["path", "label"], ["a.png", "x"], ["b.png", " "]], 3, "no label for 'b.png'"),
        ([["path", "label"], ["a.png", "x"], ["a.png", "y"]], 3, "is in line 2 already"),
        ([["path", "label"], ["", "y"]], 2, "is empty"),
        ([["path", "label", "split"], ["a.png", "x", "tset"]], 2, "'tset' is not one of train"),
    ],
)
def test_a_wrong_line_of_labels_is_named(
    tmp_path: Path, rows: list[list[str]], line: int, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        table(csv_of(tmp_path / "t.csv", rows))
    assert caught.value.line == line
    assert caught.value.path == tmp_path / "t.csv"


@given(st.text(max_size=60))
def test_any_table_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(b"path,label\n" + text.encode("utf-8", "surrogatepass"))
    try:
        entries, _ = table(path)
    except InputError as e:
        assert "t.csv" in str(e)
    else:
        assert all(entry.labels[0] for entry in entries)


def test_images_that_a_table_names_and_are_not_there_are_broken(tmp_path: Path) -> None:
    rows = [["path", "label", "split"]]
    for i, split in enumerate(["train", "val", "test"] * 4):
        picture(tmp_path / f"{i}.png", 10 if i % 2 else 200)
        rows.append([f"{i}.png", "ab"[i % 2], split])
    rows.append(["gone.png", "a", "train"])
    entries, several = table(csv_of(tmp_path / "t.csv", rows))
    made = packed(
        entries,
        name="t",
        size_px=8,
        is_multi_label=several,
        place=tmp_path / "x",
        origin=tmp_path / "t.csv",
    )
    assert [Path(broken.path).name for broken in read(made).broken] == ["gone.png"]


# Downloads


class Server(ThreadingHTTPServer):
    """A file, of which an answer may stop half-way; keeps the ranges that were asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.content, self.stops_after, self.ranges = content, 10**9, list[str]()
        self.honours_ranges = True


class _Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "bytes=0-")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if not self.server.honours_ranges:
            start = 0
        left = self.server.content[start:]
        if not left:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(left)))
        self.end_headers()
        self.wfile.write(left[: self.server.stops_after])

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def served(content: bytes) -> Iterator[tuple[Server, Edition]]:
    with Server(content) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/toy.npz?download=1"
        md5 = hashlib.md5(content).hexdigest()
        yield server, Edition("ToyMNIST", "toy.npz", 28, 80, "CC BY 4.0", url, md5)
        server.shutdown()


def test_a_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    with served(content) as (server, toy), requests.Session() as session:
        server.stops_after = 150_000
        with pytest.raises(NetworkError, match="the same command continues") as caught:
            fetch(toy, tmp_path, session=session)
        assert caught.value.exit_code == 6
        assert not (tmp_path / "toy.npz").exists()
        server.stops_after = 10**9
        seen: list[int] = []
        path = fetch(toy, tmp_path, session=session, progress=lambda done, total: seen.append(done))
        assert path.read_bytes() == content
        assert server.ranges == ["bytes=0-", f"bytes={2 * 2**16}-"]
        assert seen[-1] == len(content)
        fetch(toy, tmp_path, session=session)
        assert len(server.ranges) == 2
        assert sorted(found.name for found in tmp_path.iterdir()) == ["toy.npz"]


def test_a_server_without_ranges_sends_all_again(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    with served(content) as (server, toy), requests.Session() as session:
        (tmp_path / ".partial-toy.npz").write_bytes(content[:700])
        server.honours_ranges = False
        assert fetch(toy, tmp_path, session=session).read_bytes() == content


def test_what_was_begun_of_another_file_is_begun_anew(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    with served(content) as (_, toy), requests.Session() as session:
        (tmp_path / ".partial-toy.npz").write_bytes(b"x" * 700)
        assert fetch(toy, tmp_path, session=session).read_bytes() == content
        (tmp_path / "toy.npz").unlink()
        (tmp_path / ".partial-toy.npz").write_bytes(content)  # stopped after its last byte
        assert fetch(toy, tmp_path, session=session).read_bytes() == content


def test_another_file_than_was_published_is_refused(tmp_path: Path) -> None:
    with served(b"something else") as (server, toy), requests.Session() as session:
        server.content = b"changed"
        with pytest.raises(InputError, match="another MD5"):
            fetch(toy, tmp_path, session=session)
        assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with served(b"x") as (_, toy):
        pass
    with requests.Session() as session, pytest.raises(NetworkError, match="after 0 bytes"):
        fetch(toy, tmp_path, session=session)


def test_all_of_medmnists_2d_sets_are_known() -> None:
    known = editions()
    assert len(known) == 12 * 4
    assert all(
        len(found.md5) == 32 and found.url.startswith("https://") for found in known.values()
    )
    assert edition("PneumoniaMNIST").dataset == "PneumoniaMNIST"
    assert edition("pneumoniamnist_224").size_px == 224
    with pytest.raises(InputError, match="no 2D set 'lungmnist'"):
        edition("lungmnist")


def test_a_downloaded_set_is_a_target(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    written(tmp_path / "downloads" / "breastmnist.npz")
    found = target("medmnist:breastmnist", place=tmp_path, size_px=28)
    assert (found.name, len(found.train.labels)) == ("BreastMNIST", 80)
    assert target("X=medmnist:BreastMNIST", place=tmp_path, size_px=28).name == "X"


def test_an_id_before_a_name(tmp_path: Path) -> None:
    assert named("CIFAR-10=a/b.npz") == ("CIFAR-10", "a/b.npz")
    assert named("a/b.npz") == (None, "a/b.npz")
    written(tmp_path / "a=b.npz")
    assert named(str(tmp_path / "a=b.npz")) == (None, str(tmp_path / "a=b.npz"))
