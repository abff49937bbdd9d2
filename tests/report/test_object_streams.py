"""Object streams.

Oracles: a reader of cross-reference streams written for this test; the objects of the document before; poppler.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib

import pytest
import typst

from gradstudy.report.object_streams import compressed

SOURCE = """
#set document(title: "A table", date: datetime(year: 2026, month: 1, day: 1))
= A heading
#table(columns: 2, ..range(400).map(i => [cell #i endobj stream trailer]))
#image("line.svg", alt: "a line")
"""
LINE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0L9 9" stroke="red"/></svg>'


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("typst")
    (folder / "line.svg").write_text(LINE)
    compiler = typst.Compiler(SOURCE.encode(), root=str(folder), ignore_system_fonts=True)
    content = compiler.compile(format="pdf", pdf_standards="ua-1")
    assert isinstance(content, bytes)
    return content


def inflated(pdf: bytes, offset: int) -> tuple[bytes, bytes]:
    """Dictionary and content of the stream object at an offset."""
    keys, _, rest = pdf[offset:].partition(b"\nstream\n")
    length = re.search(rb"/Length (\d+)", keys)
    assert length
    assert rest[int(length[1]) :].startswith(b"\nendstream\nendobj\n")
    return keys, zlib.decompress(rest[: int(length[1])])


def objects(pdf: bytes) -> tuple[bytes, dict[int, bytes]]:
    """The trailer's entries, and every object by its number, read through the cross-reference stream."""
    keys, entries = inflated(pdf, int(pdf.split(b"startxref\n")[-1].split()[0]))
    found, streams = dict[int, bytes](), dict[int, bytes]()
    for number in range(len(entries) // 7):
        kind, where, place = (
            int.from_bytes(entries[7 * number + a : 7 * number + b], "big") for a, b in ((0, 1), (1, 5), (5, 7))
        )
        if kind == 1:
            assert pdf[where:].startswith(b"%d 0 obj\n" % number)
            found[number] = pdf[where:]
        if kind == 2:
            head, content = inflated(pdf, int.from_bytes(entries[7 * where + 1 : 7 * where + 5], "big"))
            first = int(re.search(rb"/First (\d+)", head)[1])  # type: ignore[index]
            names = [int(word) for word in content[:first].split()]
            streams = dict(zip(names[::2], names[1::2], strict=True))
            assert list(streams)[place] == number
            found[number] = content[first + streams[number] :]
    return keys, found


def test_every_object_is_found_again(plain: bytes) -> None:
    trailer, found = objects(compressed(plain))
    count = 0
    for match in re.finditer(rb"(?:^|\n)(\d+) 0 obj\n", plain):
        count += 1
        content = plain[match.end() :].partition(b"\nendobj")[0]
        assert found[int(match[1])].removeprefix(b"%s 0 obj\n" % match[1]).startswith(content)
    assert count > 600
    assert len(found) == count + 2
    root = re.search(rb"/Root (\d+) 0 R", trailer)
    assert root
    assert found[int(root[1])].startswith(b"<</Type/Catalog")
    for entry in (rb"/Info \d+ 0 R", rb"/ID ?\[.*?\]"):
        kept = re.search(entry, plain[plain.rindex(b"trailer") :], re.S)
        assert kept
        assert kept[0] in trailer


def test_it_is_smaller_and_the_same_every_time(plain: bytes) -> None:
    assert len(compressed(plain)) < 0.4 * len(plain)
    assert compressed(plain) == compressed(plain)


def test_what_has_a_cross_reference_stream_stays_as_it_is(plain: bytes) -> None:
    once = compressed(plain)
    assert compressed(once) == once


@pytest.mark.needs_poppler
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext: apt-get install poppler-utils")
@pytest.mark.parametrize("command", ["pdftotext - -", "pdfinfo -struct-text -", "pdfinfo -", "pdftoppm -r 40 -png -"])
def test_poppler_reads_the_same_in_both(plain: bytes, command: str) -> None:
    one, other = (
        subprocess.run(command.split(), input=pdf, capture_output=True, check=True)
        for pdf in (plain, compressed(plain))
    )
    assert len(one.stdout) > 100
    assert re.sub(rb"File size.*", b"", one.stdout) == re.sub(rb"File size.*", b"", other.stdout)
    assert one.stderr == other.stderr
