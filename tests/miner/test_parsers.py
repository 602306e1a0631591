"""What each parser keeps and leaves out, and that no bytes bring one down."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from papers import open_work, pdf

from data.errors import InputError
from miner.arxiv_html import read_arxiv_html
from miner.document import Document, license_of, plain, table_text
from miner.formats import format_of, read_document
from miner.jats import read_jats
from miner.latex import read_latex
from miner.lines import of_pages, read_text, unbroken
from miner.pdf import read_pdf
from miner.replay_fulltext import jats, latexml, tei
from miner.tei import read_tei


def pieces(document: Document) -> list[tuple[str, str]]:
    return [(piece.section, piece.text) for piece in document.pieces]


JATS = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "https://jats.example/JATS.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML">
<front><article-meta><article-id pub-id-type="pmc">PMC12</article-id>
<article-id pub-id-type="doi">10.1/ABC</article-id>
<title-group><article-title>A <italic>deep</italic> title<xref>*</xref></article-title>
</title-group>
<permissions><license><license-p>See
<ext-link xlink:href="http://creativecommons.org/licenses/by/4.0/">it</ext-link></license-p>
</license></permissions><abstract abstract-type="graphical"><p>Picture.</p></abstract>
<abstract><sec><title>Methods</title><p>We &#x3b1; &alpha;.</p></sec></abstract></article-meta>
</front>
<body><p>Opening.</p>
<sec><title>1. Materials and methods</title>
<p>We used ImageNet [<xref>1</xref>] at <inline-formula><alternatives><tex-math>\\times</tex-math>
<mml:math><mml:mn>224</mml:mn><mml:mo>×</mml:mo><mml:mn>224</mml:mn></mml:math></alternatives>
</inline-formula> px.<disp-formula><mml:math>E=mc</mml:math></disp-formula></p>
<sec><title>Results of others</title><p>Inner.</p><list><list-item><p>One</p></list-item>
<list-item><p>two</p></list-item></list>
<table-wrap><label>Table 1</label><caption><p>Sets</p></caption><table>
<tr><th>Set</th><th>n</th></tr><tr><td>CheXpert</td><td>5</td></tr><tr><td/></tr></table></table-wrap>
</sec></sec>
<sec sec-type="discussion"><title>Zebras</title><p>D.<fig><label>Figure 1</label>
<caption><p>Cap.</p></caption></fig></p></sec></body>
<back><notes><title>Data availability</title><p>At x.</p></notes>
<ref-list><title>References</title><ref><mixed-citation>Nobody</mixed-citation></ref></ref-list></back>
<floats-group><fig><label>Figure 1</label><caption><p>Cap.</p></caption></fig></floats-group>
</article>"""


def test_jats_by_section() -> None:
    document = read_jats(JATS.encode())
    assert document.title == "A deep title"
    assert document.names == ("pmcid:PMC12", "doi:10.1/abc")
    assert document.license == "cc-by"
    assert pieces(document) == [
        ("abstract", "We α α."),
        ("introduction", "Opening."),
        ("methods", "We used ImageNet [1] at 224×224 px."),
        ("methods", "Inner."),
        ("methods", "One two"),
        ("table", "Table 1 Sets\nSet | n\nCheXpert | 5"),
        ("discussion", "D."),
        ("caption", "Figure 1 Cap."),
        ("availability", "At x."),
    ]


def test_orders_count_within_each_section() -> None:
    passages = read_jats(JATS.encode()).passages("W1", origin="europepmc", license="cc-by-nc")
    methods = [passage.order for passage in passages if passage.section == "methods"]
    assert methods == [0, 1, 2]
    assert len({(p.section, p.order) for p in passages}) == len(passages)
    assert {passage.license for passage in passages} == {"cc-by"}  # its own, not the record's


TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt>
<title level="a" type="main">A title</title></titleStmt><publicationStmt><availability>
<licence target="https://creativecommons.org/licenses/by-nc-nd/4.0/"/></availability>
</publicationStmt><sourceDesc><biblStruct><idno type="DOI">10.1/X</idno>
<idno type="arXiv">arXiv:2101.00001v2 [cs.CV]</idno></biblStruct></sourceDesc></fileDesc>
<profileDesc><abstract><div><p>Abs.</p></div></abstract></profileDesc></teiHeader>
<text><body><div><head n="1">Introduction</head><p>In <ref>[3]</ref> it.<note>no</note></p></div>
<div><head n="2">Experiments</head></div><div><head n="2.1">Results</head><p>E.</p>
<formula>x</formula></div><div><head>References</head><p>[1] Nobody.</p></div>
<figure><head>Fig. 1</head><figDesc>A scan.</figDesc></figure>
<figure type="table"><head>Table 1</head><figDesc>Sets</figDesc><table><row><cell>A</cell>
<cell>B</cell></row></table></figure></body>
<back><div type="availability"><div><p>On request.</p></div></div>
<div type="references"><listBibl><biblStruct/></listBibl></div></back></text></TEI>"""


def test_tei_by_section() -> None:
    document = read_tei(TEI.encode())
    assert document.names == ("doi:10.1/x", "arxiv:2101.00001v2")
    assert document.license == "cc-by-nc-nd"
    assert pieces(document) == [
        ("abstract", "Abs."),
        ("introduction", "In [3] it."),
        ("methods", "E."),
        ("caption", "Fig. 1 A scan."),
        ("table", "Table 1 Sets\nA | B"),
        ("availability", "On request."),
    ]


HTML = """<!DOCTYPE html><html><body><nav class="ltx_TOC">Contents</nav>
<a id="license-tr" href="https://info.arxiv.org/help/license">License: CC BY-SA 4.0</a>
<div id="watermark-tr">arXiv:2101.00001v1 [cs.CV]</div>
<article class="ltx_document"><h1 class="ltx_title ltx_title_document">A title</h1>
<div class="ltx_authors">Nobody</div><div class="ltx_abstract"><h6>Abstract</h6>
<p class="ltx_p">Abs.</p></div>
<section class="ltx_section"><h2 class="ltx_title ltx_title_section">
<span class="ltx_tag ltx_tag_section">2 </span>Method</h2>
<div class="ltx_para"><p class="ltx_p">At <math alttext="3\\times 3"><semantics><mrow><mn>3</mn>
<mo>×</mo><mn>3</mn></mrow><annotation encoding="application/x-tex">3\\times 3</annotation>
</semantics></math> px<span class="ltx_note">a note</span> of <cite>[5]</cite>.</p>
<table class="ltx_equation ltx_eqn_table"><tr><td>E</td></tr></table></div>
<section class="ltx_subsection"><h3 class="ltx_title">2.1 Results</h3><div class="ltx_para">
<p class="ltx_p">Sub.</p></div>
<figure class="ltx_table"><figcaption class="ltx_caption">Table 1: Sets</figcaption>
<table class="ltx_tabular"><tr><td>A</td><td>B</td></tr></table></figure>
<figure class="ltx_figure"><img alt="x"/><figcaption>Figure 1: A scan.</figcaption></figure>
</section></section>
<section class="ltx_bibliography"><p class="ltx_p">[1] Nobody</p></section>
<section class="ltx_appendix"><h2 class="ltx_title">A Results</h2><p class="ltx_p">App.</p>
</section></article></body></html>"""


def test_arxiv_html_by_section() -> None:
    document = read_arxiv_html(HTML.encode())
    assert document.title == "A title"
    assert document.names == ("arxiv:2101.00001",)
    assert document.license == "cc-by-sa"
    assert pieces(document) == [
        ("abstract", "Abs."),
        ("methods", "At 3×3 px of [5]."),
        ("methods", "Sub."),
        ("table", "Table 1: Sets\nA | B"),
        ("caption", "Figure 1: A scan."),
        ("other", "App."),
    ]


LATEX = r"""\documentclass{article} % arXiv:2101.00001
\title{A \emph{deep} title}
\begin{document}\maketitle
\begin{abstract}We use \textbf{ImageNet}~\cite{a,b}. % not this
\end{abstract}
\section{Introduction}\label{x}
It costs \$5, \textit{or 50\%} of M\"uller's $3\times 3$ net.\footnote{At \url{x}.}

Second.
\section{Experiments}\subsection{Results}
Before \begin{equation} E=mc^2 \end{equation} after.
\begin{table}\caption{Sets \textit{of {data}}}\begin{tabular}{l|c}\hline A & B \\ \midrule
CheXpert \& co & 5\\ \end{tabular}\end{table}
\begin{figure}\includegraphics[width=1cm]{a.png}\caption{A scan.}\end{figure}
\begin{itemize}\item One\item Two\end{itemize}
\begin{thebibliography}{9}\bibitem{a} Nobody.\end{thebibliography}
\appendix\section{Results}
Extra.
\end{document} ignored"""


def test_latex_by_section() -> None:
    document = read_latex(LATEX.encode())
    assert document.title == "A deep title"
    assert document.names == ("arxiv:2101.00001",)
    assert pieces(document) == [
        ("abstract", "We use ImageNet [a,b]."),
        ("introduction", "It costs $5, or 50% of Müller's 3× 3 net."),
        ("introduction", "Second."),
        ("table", "Sets of data\nA | B\nCheXpert & co | 5"),
        ("caption", "A scan."),
        ("methods", "Before after."),
        ("methods", "One"),
        ("methods", "Two"),
        ("other", "Extra."),
    ]


PAGES = [
    [
        *("Journal of Things 12 (2020)", "A title of a paper", "Abstract. We pretrain on Image-"),
        *("Net, ImageNet, which is large, and then fine-tune on what is small.", "1 Introduction"),
        *(
            "Self-supervised learning is a way of learning that is self-",
            "supervised, and ef\ufb01cient.",
        ),
        *("It goes on", "1"),
    ],
    [
        *("Journal of Things 13 (2020)", "over the page and then some more words to make it long."),
        *("2 Methods", "We used CheXpert, as Figure 1 shows, and a lot of other", "things too."),
        *("Figure 1: A picture", "of a chest.", "Table 2. Data sets.", "2"),
    ],
    [
        *("Journal of Things 14 (2020)", "3 Results", "They were good."),
        *("References", "[1] Nobody. Nothing. 2020.", "Appendix", "More of it.", "3"),
    ],
]
READ = [
    ("other", "A title of a paper"),
    (
        "abstract",
        "We pretrain on ImageNet, ImageNet, which is large, and then fine-tune on what is small.",
    ),
    (
        "introduction",
        "Self-supervised learning is a way of learning that is self-supervised, and efficient.",
    ),
    ("introduction", "It goes on over the page and then some more words to make it long."),
    ("methods", "We used CheXpert, as Figure 1 shows, and a lot of other things too."),
    ("caption", "Figure 1: A picture of a chest."),
    ("table", "Table 2. Data sets."),
    ("results", "They were good."),
    ("other", "More of it."),
]


def test_lines_of_pages_by_section() -> None:
    assert pieces(of_pages(PAGES)) == READ


def test_a_pdf_reads_as_its_lines() -> None:
    pages = [[line.replace("\ufb01", "fi") for line in page] for page in PAGES]
    assert pieces(read_pdf(pdf(pages))) == READ


def test_a_broken_word_is_made_whole_as_the_text_writes_it() -> None:
    assert unbroken(["pre-", "trained nets"])[0] == "pretrained"
    assert unbroken(["pre-trained: pre-", "trained nets"])[0] == "pre-trained: pre-trained"
    assert unbroken(["a state-", "of-the-art net"])[0] == "a state-of-the-art"
    assert unbroken(["Chest-", "X-rays, of"]) == ["Chest-X-rays,", "of"]
    assert unbroken(["ImageNet, Image-", "Net"])[0] == "ImageNet, ImageNet"


def test_text_without_pages() -> None:
    text = "Methods\n\nWe did\nit.\n\nResults\n\nGood."
    assert pieces(read_text(text.encode())) == [("methods", "We did it."), ("results", "Good.")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (JATS.encode(), "JATS"),
        (b"\xef\xbb\xbf" + TEI.encode(), "TEI"),
        (HTML.encode(), "HTML"),
        (LATEX.encode(), "LaTeX"),
        (pdf([["Hi"]]), "PDF"),
        (b"Just words.", "text"),
    ],
)
def test_formats_are_told_by_content(body: bytes, kind: str) -> None:
    assert format_of(body) == kind


@pytest.mark.parametrize("body", [b"", b"  ", b"\0\1\2", b"\xff\xfe", b"<svg/>", b"<?xml"])
def test_what_is_no_paper_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        read_document(body)


# --- what strangers may send --------------------------------------------------------------------

BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 10}">' for n in range(10))


@pytest.mark.parametrize(
    "declared",
    [
        f"<!DOCTYPE article [{BOMB}]>",
        '<!DOCTYPE article [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE article [<!ENTITY e9 SYSTEM "http://127.0.0.1:9/x">]>',
        '<!DOCTYPE article [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p; <!ENTITY e9 "x">]>',
    ],
)
@pytest.mark.parametrize("read", [read_jats, read_tei])
def test_documents_with_entities_are_refused(
    read: Callable[[bytes], Document], declared: str
) -> None:
    started = time.monotonic()
    body = f"{declared}<article a='&e9;'><body><p>&e9;</p></body></article>"
    for text in (body, body.replace(" a='&e9;'", "")):
        with pytest.raises(InputError):
            read(text.encode())
    assert time.monotonic() - started < 5


def test_an_external_dtd_is_neither_fetched_nor_opened(tmp_path: Path) -> None:
    dtd = tmp_path / "x.dtd"
    dtd.write_text('<!ENTITY e "SECRET"><!ATTLIST p t CDATA "SECRET">')
    for place in (dtd.as_uri(), "http://127.0.0.1:9/x.dtd"):
        body = f'<!DOCTYPE article SYSTEM "{place}"><article><body><p>A &e; b</p></body></article>'
        assert "SECRET" not in str(read_jats(body.encode()).pieces)


@pytest.mark.parametrize("read", [read_jats, read_tei, read_arxiv_html])
@pytest.mark.parametrize("tag", ["sec", "div", "p", "b"])
def test_deep_nesting_does_no_harm(read: Callable[[bytes], Document], tag: str) -> None:
    depth = 50_000
    inner = f"<{tag}>" * depth + "x" + f"</{tag}>" * depth
    for body in (
        f"<article class='ltx_document'><body>{inner}</body></article>",
        f"<TEI><text><body>{inner}</body></text></TEI>",
    ):
        try:
            read(body.encode())
        except InputError:
            continue


def alone(read: Callable[[bytes], Document], body: bytes) -> None:
    """Pieces with words, or an InputError."""
    try:
        document = read(body)
    except InputError:
        return
    for piece in document.pieces:
        assert piece.text.strip() == piece.text != ""
        assert "  " not in piece.text


SOURCES = [jats(open_work(1)), tei(open_work(1)), latexml(open_work(1)), LATEX.encode()]
SOURCES += [JATS.encode(), TEI.encode(), HTML.encode()]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good document with a piece cut out, doubled or replaced."""
    body = draw(st.sampled_from(SOURCES))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, len(body)))
    new = draw(st.one_of(st.binary(max_size=20), st.just(body[start:end] * 2)))
    return body[:start] + new + body[end:]


@pytest.mark.parametrize("read", [read_jats, read_tei, read_arxiv_html, read_latex])
@given(body=st.one_of(st.binary(max_size=200), damaged()))
@limits(max_examples=150)
def test_no_bytes_bring_a_parser_down(read: Callable[[bytes], Document], body: bytes) -> None:
    alone(read, body)


@given(lines=st.lists(st.lists(st.text(max_size=40), max_size=12), min_size=1, max_size=5))
@example(lines=[["-"], ["a-", "b"], ["Fig. 1 "]])
@limits(max_examples=150)
def test_no_lines_bring_their_reader_down(lines: list[list[str]]) -> None:
    alone(lambda body: of_pages(lines), b"")


@given(text=st.text(max_size=200))
def test_no_text_brings_the_latex_reader_down(text: str) -> None:
    alone(read_latex, (r"\begin{document}" + text).encode("utf-8", "replace"))


@given(text=st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    "body",
    [
        b"%PDF-1.4\n",
        b"%PDF-1.4\n" + os.urandom(2000),
        pdf([["Words"]])[:-200],
        pdf([["Words"]]).replace(b"/Kids [5 0 R]", b"/Kids [2 0 R]"),
        pdf([["Words"]]).replace(b"/Count 1", b"/Count 99999999"),
        pdf([[]]),
    ],
)
def test_a_corrupt_pdf_is_refused_or_read(body: bytes) -> None:
    alone(read_pdf, body)


def test_a_pdf_without_text_is_told() -> None:
    with pytest.raises(InputError, match="scan"):
        read_pdf(pdf([[]]))


def test_a_pdf_that_takes_too_long_is_killed() -> None:
    body = pdf([["word " * 100] * 5000] * 20)
    with pytest.raises(InputError, match=r"signal (9|24)"):
        read_pdf(body, cpu_s=1)
    started = time.monotonic()
    with pytest.raises(InputError, match="not read within"):
        read_pdf(body, wall_s=0.3)
    assert time.monotonic() - started < 3


def test_a_pdf_that_takes_too_much_memory_is_refused() -> None:
    with pytest.raises(InputError):
        read_pdf(pdf([["Words"]]), memory=8_000_000)


def test_the_reader_of_pdfs_sees_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit('ours')")
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from papers import pdf\nfrom miner.pdf import read_pdf\n"
        "print(read_pdf(pdf([['Words']])).pieces[0].text)"
    )
    here = Path(__file__).resolve()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            str(here.parents[2]),
            str(here.parent),
            str(here.parents[1]),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "Words", done.stderr


def test_licences_in_openalex_spelling() -> None:
    assert license_of("https://creativecommons.org/licenses/by-nc-sa/4.0/") == "cc-by-nc-sa"
    assert license_of("http://creativecommons.org/publicdomain/zero/1.0/") == "cc0"
    assert license_of("http://creativecommons.org/publicdomain/mark/1.0/") == "public-domain"
    assert license_of("License: CC BY-NC-ND 4.0") == "cc-by-nc-nd"
    assert license_of("All rights reserved") is None


def test_tables_have_no_empty_rows() -> None:
    assert table_text("", [["", " "], ["a ", "b\nc"]]) == "a | b c"
