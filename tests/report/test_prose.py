"""Oracle: the CommonMark specification, for the few constructs that prose uses."""

from __future__ import annotations

from gradstudy.report import prose


def text(words: str) -> dict[str, str]:
    return {"kind": "text", "text": words}


def test_blocks_and_spans():
    blocks = prose.parse(
        "A *b* **c** `d`\ne\\\nf\n\n- [g](https://x.org)\n- h\n\n1. i\n\n> j\n\n---\n\n```py\nk\n```\n"
    )
    paragraph, bullets, ordered, quote, rule, code = blocks
    assert paragraph["spans"] == [
        text("A "),
        {"kind": "emphasis", "spans": [text("b")]},
        text(" "),
        {"kind": "strong", "spans": [text("c")]},
        text(" "),
        {"kind": "code", "text": "d"},
        text(" e"),
        {"kind": "break"},
        text("f"),
    ]
    assert bullets["items"][0][0]["spans"] == [{"kind": "link", "spans": [text("g")], "href": "https://x.org"}]
    assert ordered["ordered"]
    assert not bullets["ordered"]
    assert quote["blocks"] == prose.parse("j")
    assert rule == {"kind": "rule"}
    assert code == {"kind": "code", "text": "k"}


def test_html_and_dangerous_links_stay_text():
    source = '<script>alert(1)</script> [x](javascript:alert(1)) <div onclick="y">'
    assert prose.plain(prose.parse(source)) == source
    assert all(span["kind"] == "text" for block in prose.parse(source) for span in block["spans"])


def test_a_picture_is_its_description():
    assert prose.parse("![a *b*](https://x.org/y.png)")[0]["spans"] == [text("a *b*")]


def test_plain_words():
    assert prose.plain(prose.parse("A *b*\n\n- c\n- `d`\n\n> e")) == "A b c d e"
