"""Reading what a file says of itself.

Oracles: report.json and figures.py of the report that the files are from; poppler, another reader of PDF; files forged
in ways that are known to be dangerous.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gradstudy.errors import UnknownFigureError
from gradstudy.report.identity import Identity, identity_of, read
from gradstudy.report.redraw import draw_again

ID = "made-up/growth@0123456789ab"
SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
 <metadata>
  <rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#"
    xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
   <cc:Work><dc:identifier>{id}</dc:identifier><dc:title>{title}</dc:title></cc:Work>
  </rdf:RDF>
 </metadata>
 {body}
</svg>
"""
PDF = "%PDF-1.4\n{body}\n1 0 obj\n<< /Keywords ({id}) /Title ({title}) >>\nendobj\ntrailer\n<< /Info 1 0 R >>\n%%EOF\n"


def svg(body: str = "", title: str = "Growth", id: str = ID) -> bytes:
    return SVG.format(body=body, title=title, id=id).encode()


def pdf(body: str = "", title: str = "Growth", id: str = ID) -> bytes:
    return PDF.format(body=body, title=title, id=id).encode()


def png(path: Path, **texts: str) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key.replace("_", "-"), text)
    Image.new("RGB", (4, 3)).save(path, pnginfo=info)
    return path.read_bytes()


@pytest.fixture
def figure(report: Path) -> Identity:
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    growth = content["figures"][0]
    words = "".join(span["text"] for span in growth["caption"][0]["spans"] if "text" in span)
    assert "24 runs" in words
    return Identity(growth["id"], growth["title"], "", content["version"], content["date"])


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_each_format_says_all_of_a_figure(synthetic, report: Path, tmp_path: Path, figure: Identity, kind: str):
    study = synthetic.write_study(tmp_path / "made-up")
    lone = tmp_path / f"mailed.{kind}"
    lone.write_bytes(draw_again(report, study.folder, "growth").file(kind))
    said = read(lone)
    assert (said.id, said.title, said.version, said.date) == (figure.id, figure.title, figure.version, figure.date)
    assert said.caption.startswith('Growth of the product for <b>each</b> seed. #import "evil.typ", n = 24.')
    assert said.caption.endswith("all 24 runs of the standard profile finished.")


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_of_part_of_the_runs_says_so_in_its_metadata(synthetic, tmp_path: Path, kind: str):
    folder = synthetic.build_report(tmp_path, synthetic.Recipe(failed=2))
    lone = draw_again(folder, tmp_path / "studies" / "made-up", "growth").file(kind)
    assert identity_of(lone, "x").caption.endswith("of the standard profile's 24 runs 2 failed and 0 are missing.")
    assert read(folder / "report.pdf").caption == "profile standard, 22 runs, 2 failed"


def test_a_report_s_pdf_says_which_report_json_it_was_set_from(report: Path):
    said = read(report / "report.pdf")
    digest = subprocess.run(["sha256sum", report / "report.json"], capture_output=True, text=True, check=True).stdout
    assert said.id == f"made-up@{digest[:12]}"
    assert said.title.startswith("Does the made-up product grow? <script>")
    assert said.caption == "profile standard, 24 runs"
    assert said.of_report


@pytest.mark.needs_poppler
@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="no pdfinfo: apt-get install poppler-utils")
def test_poppler_reads_the_same_out_of_our_pdfs(synthetic, report: Path, tmp_path: Path):
    study = synthetic.write_study(tmp_path / "made-up")
    lone = tmp_path / "lone.pdf"
    lone.write_bytes(draw_again(report, study.folder, "growth").file("pdf"))
    for path in (lone, report / "report.pdf"):
        said = read(path)
        told = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
        facts = dict(line.partition(":")[::2] for line in told.splitlines())
        assert facts["Title"].strip() == said.title
        assert facts["Subject"].strip() == said.caption
        assert facts["Keywords"].strip() == f"{said.id}, gradstudy {said.version}"


def test_signs_of_every_alphabet_come_back_from_a_pdf():
    figure, title = Figure(), "Grün (σ₁ \\ 中) – ))(( 𝔼"
    for backend_title in (title, "plain \\ (a) ((b)", "(unbalanced"):
        import io

        buffer = io.BytesIO()
        figure.savefig(buffer, format="pdf", metadata={"Title": backend_title, "Keywords": ID})
        assert identity_of(buffer.getvalue(), "x").title == backend_title
    octal = pdf(
        title=r"a\050\7\
b"
    )
    assert identity_of(octal, "x").title == "a(\ufffdb"


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        '<g onload="alert(1)"/>',
        '<g ONCLICK="alert(1)"/>',
        '<a xlink:href="#x"/>',
        '<image xlink:href="http://elsewhere.example/x.png"/>',
        '<image xlink:href="data:image/svg+xml;base64,PHN2Zy8+"/>',
        '<use xlink:href="file:///etc/passwd#x"/>',
        '<use href="javascript:alert(1)"/>',
        "<foreignObject/>",
        '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
        '<set attributeName="onload" to="alert(1)"/>',
        "<style>@import 'http://elsewhere.example/x.css';</style>",
        "<style>g { fill: url('http://elsewhere.example/x') }</style>",
        "<style>g { fill: ur<![CDATA[l(http://elsewhere.example)]]> }</style>",
        '<path style="fill: url( http://elsewhere.example )"/>',
        '<?xml-stylesheet href="http://elsewhere.example/x.xsl"?>',
    ],
)
def test_an_svg_that_could_do_or_load_anything_is_refused(body: str):
    with pytest.raises(UnknownFigureError, match="which no picture of gradstudy does"):
        identity_of(svg(body), "x.svg")


def test_entities_are_refused_before_they_grow():
    bombs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    laughs = f'<!DOCTYPE svg [<!ENTITY a0 "ha">{bombs}]>'
    reading = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    for declaration in (laughs, reading):
        hostile = svg("<text>&a9;&x;</text>").replace(b'<?xml version="1.0"?>', declaration.encode())
        with pytest.raises(UnknownFigureError, match="declarations of its own"):
            identity_of(hostile, "x.svg")


@pytest.mark.parametrize(
    "body",
    [
        "<< /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>",
        "<< /AA << >> >>",
        "<< /S /Launch /F (calc.exe) >>",
        "<< /Type /EmbeddedFile >>",
        "<< /Names << /EmbeddedFiles 3 0 R >> >>",
        "<< /Type /ObjStm >>",
        "<< /Encrypt 4 0 R >>",
    ],
)
def test_a_pdf_that_could_do_anything_is_refused(body: str):
    with pytest.raises(UnknownFigureError, match="which no PDF of gradstudy does"):
        identity_of(pdf(body), "x.pdf")


def test_what_is_drawn_in_a_pdf_may_look_like_an_action():
    stream = "<< /Length 9 >>\nstream\n/JS /AA \nendstream"
    assert identity_of(pdf(stream), "x.pdf").id == ID


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_file_that_was_cut_off_is_refused(synthetic, report: Path, tmp_path: Path, kind: str, share: float):
    study = synthetic.write_study(tmp_path / "made-up")
    whole = draw_again(report, study.folder, "growth").file(kind)
    with pytest.raises(UnknownFigureError, match="cut off or corrupt"):
        identity_of(whole[: int(len(whole) * share)], f"x.{kind}")


@pytest.mark.parametrize(
    "forged", ["../../etc/passwd@0123456789ab", "a/b/c@0123456789ab", "made-up/x@z", "<b>", "a" * 99]
)
def test_a_forged_id_is_refused_and_is_no_path(tmp_path: Path, forged: str):
    for content in (svg(id=forged), pdf(id=forged), png(tmp_path / "x.png", gradstudy_figure=forged)):
        if b"<b>" in content and content.startswith(b"<?xml"):
            content = svg(id="&lt;b&gt;")
        with pytest.raises(UnknownFigureError, match="which gradstudy writes in no file"):
            identity_of(content, "x")


def test_forged_words_are_one_line_that_moves_no_cursor(tmp_path: Path):
    forged = "\x1b[2J\x1b]0;owned\x07 a\r\n\r\nb \u202edesrever"
    for content in (png(tmp_path / "x.png", gradstudy_figure=ID, Title=forged), pdf(title=forged)):
        title = identity_of(content, "x").title
        assert title.isprintable()
        assert "desrever" in title
    with pytest.raises(UnknownFigureError, match="cut off or corrupt"):
        identity_of(svg(title="\x1b[2J"), "x.svg")  # no XML has such a sign
    with pytest.raises(UnknownFigureError, match="where a caption belongs"):
        identity_of(svg(title="a" * 1_000_000), "x.svg")
    with pytest.raises(UnknownFigureError, match="which gradstudy writes in no file"):
        identity_of(png(tmp_path / "x.png", gradstudy_figure=ID, gradstudy_date="}\\in"), "x")


def test_a_bomb_within_a_drawing_is_refused():
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (50_000).to_bytes(4, "big") * 2 + bytes(5)
    within = f'<image xlink:href="data:image/png;base64,\n{base64.b64encode(head).decode()}"/>'
    with pytest.raises(UnknownFigureError, match="a picture larger than any figure"):
        identity_of(svg(within), "x.svg")
    with pytest.raises(UnknownFigureError, match="a picture larger than any figure"):
        identity_of(pdf("<< /Subtype /Image /Width 50000 /Height 50000 >>"), "x.pdf")
    small = head.replace((50_000).to_bytes(4, "big"), (500).to_bytes(4, "big"))
    within = f'<image xlink:href="data:image/png;base64,\n{base64.b64encode(small).decode()}"/>'
    assert identity_of(svg(within), "x.svg").id == ID


def test_a_bomb_of_pixels_or_of_text_is_refused(tmp_path: Path):
    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    def bomb(width: int, *more: bytes) -> bytes:
        head = width.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
        data = zlib.compress(bytes(10_000_000), 9)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

    text = chunk(b"zTXt", b"gradstudy-caption\0\0" + zlib.compress(bytes(b"a" * 200_000_000), 9))
    for content in (bomb(8_000), bomb(60_000), bomb(100, text)):
        with pytest.raises(UnknownFigureError, match=r"larger than any figure|cut off or corrupt"):
            identity_of(content, "x.png")


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"hello", base64.b64decode("AAAA"), b"%PDF-1.7\n%%EOF", svg(id=""), b"<svg/>"],
)
def test_a_file_that_is_none_of_ours_is_refused(content: bytes):
    with pytest.raises(UnknownFigureError, match=r"is no PNG, SVG or PDF|without gradstudy's metadata"):
        identity_of(content, "x")


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path):
    for path in (tmp_path / "gone.png", tmp_path, tmp_path / "a\0b.png", tmp_path / ("x" * 300 + ".png")):
        with pytest.raises(UnknownFigureError, match="no file"):
            read(path)
