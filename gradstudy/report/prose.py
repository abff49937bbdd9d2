"""CommonMark without HTML, as plain data that the page and the PDF both draw from.

A block is `{"kind": "paragraph" | "heading", "spans": [...]}`, `{"kind": "code", "text": ...}`, `{"kind": "rule"}`,
`{"kind": "quote", "blocks": [...]}` or `{"kind": "list", "ordered": bool, "items": [[block, ...], ...]}`. A span is
`{"kind": "text" | "code", "text": ...}`, `{"kind": "break"}` or `{"kind": "emphasis" | "strong" | "link", "spans":
[...]}` (a link with `href`). So no text is ever pasted into a template's own language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

Block = dict[str, Any]
Span = dict[str, Any]


def parse(text: str) -> list[Block]:
    """The blocks of a CommonMark text; HTML in it stays text."""
    tokens = MarkdownIt("commonmark", {"html": False}).parse(text)
    return [_block(node) for node in SyntaxTreeNode(tokens).children]


def plain(blocks: Iterable[Block]) -> str:
    """The words alone, for metadata and for terminals."""
    return " ".join(part for part in map(_block_words, blocks) if part)


def _block(node: SyntaxTreeNode) -> Block:
    match node.type:
        case "paragraph" | "heading":
            return {"kind": node.type, "spans": _spans(node)}
        case "bullet_list" | "ordered_list":
            items = [[_block(child) for child in item.children] for item in node.children]
            return {"kind": "list", "ordered": node.type == "ordered_list", "items": items}
        case "blockquote":
            return {"kind": "quote", "blocks": [_block(child) for child in node.children]}
        case "hr":
            return {"kind": "rule"}
        case _:
            return {"kind": "code", "text": node.content.rstrip("\n")}


def _spans(node: SyntaxTreeNode) -> list[Span]:
    inline = [child for child in node.children if child.type == "inline"]
    return _joined(span for child in inline for part in child.children for span in _span(part))


def _span(node: SyntaxTreeNode) -> Iterator[Span]:
    match node.type:
        case "em" | "strong" | "link":
            kind = {"em": "emphasis"}.get(node.type, node.type)
            span: Span = {"kind": kind, "spans": _joined(part for child in node.children for part in _span(child))}
            yield span | ({"href": str(node.attrs["href"])} if kind == "link" else {})
        case "code_inline":
            yield {"kind": "code", "text": node.content}
        case "hardbreak":
            yield {"kind": "break"}
        case "softbreak":
            yield {"kind": "text", "text": " "}
        case _:  # text; a picture is not loaded from anywhere, its description stands for it
            yield {"kind": "text", "text": node.content}


def _joined(spans: Iterable[Span]) -> list[Span]:
    result: list[Span] = []
    for span in spans:
        if result and span["kind"] == result[-1]["kind"] == "text":
            result[-1] = {"kind": "text", "text": result[-1]["text"] + span["text"]}
        else:
            result.append(span)
    return result


def _block_words(block: Block) -> str:
    match block["kind"]:
        case "paragraph" | "heading":
            return "".join(map(_span_words, block["spans"]))
        case "list":
            return " ".join(plain(item) for item in block["items"])
        case "quote":
            return plain(block["blocks"])
        case "code":
            return str(block["text"])
        case _:
            return ""


def _span_words(span: Span) -> str:
    if span["kind"] == "break":
        return " "
    return str(span["text"]) if "text" in span else "".join(map(_span_words, span["spans"]))
