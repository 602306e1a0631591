import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from builders import survey, work

from data.records import Work


def cats(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cats", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_texts_without_a_survey(tmp_path: Path) -> None:
    texts, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    paper = {"id": "a", "title": None, "abstract": "We fine-tune a pretrained ResNet-50 on BraTS."}
    texts.write_text(json.dumps(paper) + "\n\n" + json.dumps({"id": "b"}) + "\n")
    done = cats("annotate", "--texts", str(texts), "--out", str(out))
    assert done.returncode == 0, done.stderr
    first, second = lines(out)
    assert second == {"id": "b", "uses": [], "from_scratch": False}
    assert set(first) == {"id", "uses", "from_scratch"}
    assert set(first["uses"][0]) == set(
        "dataset role implied surface section start end evidence model strategy score".split()  # noqa: SIM905
    )
    found = {(use["dataset"], use["role"], use["implied"]) for use in first["uses"]}
    assert found == {("ImageNet", "source", True), ("BraTS", "target", False)}


def test_bad_lines_are_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    texts, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    texts.write_text('{"id": "a"}\nnot json\n{"title": "no id"}\n{"id": "d", "title": 4}\n')
    done = cats("annotate", "--texts", str(texts), "--out", str(out))
    assert done.returncode == 4
    assert [line["id"] for line in lines(out)] == ["a"]
    rejects = lines(tmp_path / "out.jsonl.rejects.jsonl")
    assert [reject["line"] for reject in rejects] == [2, 3, 4]
    assert str(tmp_path / "out.jsonl.rejects.jsonl") in done.stderr


def test_wrong_use_is_told(tmp_path: Path) -> None:
    assert cats("annotate", "--texts", "x").returncode == 3
    assert "cats init" in cats("annotate", "-C", str(tmp_path)).stderr
    missing = cats("evaluate", "--gold", str(tmp_path / "none.jsonl"))
    assert missing.returncode == 3
    assert "Traceback" not in missing.stderr


def test_lines_are_the_same_with_workers(tmp_path: Path) -> None:
    texts = tmp_path / "in.jsonl"
    paper = {"title": None, "abstract": "We fine-tune a pretrained ResNet-50 on BraTS."}
    texts.write_text("".join(json.dumps({"id": str(n)} | paper) + "\n" for n in range(2100)))
    for name, options in (("one", ()), ("two", ("--workers", "2"))):
        out = str(tmp_path / name)
        assert cats("annotate", "--texts", str(texts), "--out", out, *options).returncode == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_scheduler_goes_with_dask(tmp_path: Path) -> None:
    survey(tmp_path)
    done = cats("annotate", "-C", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1")
    assert done.returncode == 3
    assert "--engine dask" in done.stderr


def test_a_survey_is_annotated(tmp_path: Path) -> None:
    corpus = survey(tmp_path)
    corpus.append(Work, [work(abstract="We evaluate on BraTS.")], name="a")
    done = cats("annotate", "-C", str(tmp_path), "--json")
    assert json.loads(done.stdout) == {"works annotated": 1, "uses found": 1}


def test_evaluate_prints_each_measure_with_its_interval(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    use = {"dataset": "BraTS 2020", "role": "target", "implied": False}
    paper = {"id": "a", "title": None, "abstract": "We evaluate on BraTS.", "uses": [use]}
    gold.write_text(json.dumps(paper) + "\n")
    shown = cats("evaluate", "--gold", str(gold))
    assert "named sources" in shown.stdout
    assert "1.00 [1.00, 1.00]" in shown.stdout
    table = json.loads(cats("evaluate", "--gold", str(gold), "--json").stdout)
    targets = next(row for row in table if row["measure"] == "targets")
    assert (targets["n_gold"], targets["n_found"], targets["n_right"]) == (1, 1, 1)


def test_a_gold_file_of_another_shape_names_the_record(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"id": "a"}\n')
    done = cats("evaluate", "--gold", str(gold))
    assert done.returncode == 3
    assert "'a'" in done.stderr


def test_the_development_set_is_read_as_well_as_before(shared: Path) -> None:
    """A floor well under the measured figures: it fails when something breaks."""
    for name in ("dev.jsonl", "dev_passages.jsonl"):
        done = cats("evaluate", "--gold", str(shared / "gold" / name), "--json")
        table = {row["measure"]: row for row in json.loads(done.stdout)}
        assert table["all sources"]["f1"] > 0.85
        assert table["targets"]["f1"] > 0.8
