"""Object streams: a PDF's small objects compressed together (ISO 32000-1, sections 7.5.7 and 7.5.8).

Typst writes every element of the structure that makes a PDF accessible as an object of its own and as plain text, which
is half of a long report.
"""

from __future__ import annotations

import re
import struct
import zlib

# Of a cross-reference: its kind (0 free, 1 at an offset, 2 in an object stream), offset or stream, place in the stream.
_REFERENCE = struct.Struct(">BIH")
_FREE = (0, 0, 65535)


def compressed(pdf: bytes) -> bytes:
    """The same document, all of whose objects that are no streams lie in one compressed stream.

    Args:
        pdf: as Typst writes it: in one piece, with a cross-reference table. One without such a table stays as it is.
    """
    if not (table := _table(pdf)):
        return pdf
    offsets, trailer, end = table
    container = max(offsets) + 1
    order = sorted(offsets, key=offsets.__getitem__)
    written, small = bytearray(pdf[: offsets[order[0]]]), dict[int, bytes]()
    places = {0: _FREE}
    for number, until in zip(order, [*(offsets[number] for number in order[1:]), end], strict=True):
        whole = pdf[offsets[number] : until]
        content = whole[whole.index(b"obj") + 3 : whole.rindex(b"endobj")].strip()
        if content.endswith(b"endstream"):
            places[number] = 1, len(written), 0
            written += whole
        else:
            places[number] = 2, container, len(small)
            small[number] = content
    places[container] = 1, len(written), 0
    written += _container(container, small)
    places[container + 1] = 1, len(written), 0
    written += _references(container + 1, places, trailer)
    return bytes(written) + b"startxref\n%d\n%%%%EOF\n" % places[container + 1][1]


def _table(pdf: bytes) -> tuple[dict[int, int], bytes, int] | None:
    """Offsets by object number, the trailer's entries without Size, and where the table begins."""
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    head, found, rest = pdf[start:].partition(b"trailer")
    if not found:
        return None
    first, count, *entries = head.removeprefix(b"xref").split()
    used = [entries[3 * i : 3 * i + 3] for i in range(int(count))]
    offsets = {int(first) + i: int(offset) for i, (offset, _, kind) in enumerate(used) if kind == b"n"}
    entries_of_trailer = rest[: rest.rindex(b"startxref")].strip().removeprefix(b"<<").removesuffix(b">>")
    return offsets, re.sub(rb"/Size\s+\d+", b"", entries_of_trailer).strip(), start


def _container(number: int, objects: dict[int, bytes]) -> bytes:
    places, content = list[bytes](), bytearray()
    for name, one in objects.items():
        places.append(b"%d %d" % (name, len(content)))
        content += one + b"\n"
    head = b" ".join(places) + b"\n"
    return _stream(number, b"/Type/ObjStm/N %d/First %d" % (len(objects), len(head)), head + content)


def _references(number: int, places: dict[int, tuple[int, int, int]], trailer: bytes) -> bytes:
    entries = b"".join(_REFERENCE.pack(*places.get(name, _FREE)) for name in range(number + 1))
    return _stream(number, b"/Type/XRef/Size %d/W[1 4 2]%s" % (number + 1, trailer), entries)


def _stream(number: int, keys: bytes, content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    head = b"%d 0 obj\n<<%s/Length %d/Filter/FlateDecode>>\nstream\n" % (number, keys, len(packed))
    return head + packed + b"\nendstream\nendobj\n\n"
