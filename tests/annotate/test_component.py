import pytest
import spacy

import annotate.component  # noqa: F401
from annotate.pipeline import Annotator
from data.errors import InputError
from data.records import Passage

TEXT = "We pretrain on ImageNet. Then we evaluate on BraTS."


def test_a_document_has_the_uses_that_the_annotator_finds() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("cats")
    doc = nlp(TEXT)
    passage = Passage(work_id="doc", section="abstract", order=0, text=TEXT, origin="spaCy")
    (annotation,) = Annotator().annotate([("doc", [passage])], run="spaCy")
    assert doc._.uses == annotation.uses
    assert [(use.dataset, use.role) for use in doc._.uses] == [
        ("ImageNet", "source"),
        ("BraTS", "target"),
    ]
    assert [doc.char_span(use.start, use.end).text for use in doc._.uses] == ["ImageNet", "BraTS"]


def test_an_unknown_section_is_told() -> None:
    with pytest.raises(InputError, match="'footnote' is not one of"):
        spacy.blank("en").add_pipe("cats", config={"section": "footnote"})


def test_importing_the_annotator_does_not_import_spacy() -> None:
    import subprocess
    import sys

    code = "import sys, annotate.pipeline; print({'spacy', 'torch', 'thinc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
