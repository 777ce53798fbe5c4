"""XMP packets: what a picture says of itself, as RDF in XML (ISO 16684-1), read without trusting it.

    <x:xmpmeta xmlns:x="adobe:ns:meta/">
      <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description rdf:about="" xmlns:PREFIX="URI"> <PREFIX:NAME>VALUE</PREFIX:NAME> ... </rdf:Description>
      </rdf:RDF>
    </x:xmpmeta>

A packet has at most :data:`LARGEST` bytes and no document type, so that it has no entities to expand. Names keep the
prefixes of their file; they are compared by URI.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

LARGEST = 1 << 20
"""Bytes of a packet that are read."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_DEEPEST = 64  # levels of elements
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>'
_DECLARATION = re.compile(r"xmlns(:|$)")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Scope = ChainMap[str, str]
"""Prefix -> URI."""


class Packet:
    """A packet that can be searched and changed."""

    def __init__(self, content: bytes | None = None) -> None:
        """A packet read, or an empty one.

        Raises:
            ValueError: it is too large, not well-formed, has a document type, or no RDF.
        """
        if content is None:
            self._root = Element("x:xmpmeta", {"xmlns:x": _META})
            self._rdf = SubElement(self._root, "rdf:RDF", {"xmlns:rdf": RDF})
            return
        self._root = _parse(content)
        rdf = next((element for element, scope in self._walk() if _name(element.tag, scope) == (RDF, "RDF")), None)
        if rdf is None:
            raise ValueError("it has no rdf:RDF")
        self._rdf = rdf

    def find(self, uri: str, name: str) -> str | None:
        """The text of a property of the picture, or the URI that it points to; None without one."""
        for value in self._values(uri, name):
            return value
        return None

    def drop(self, unwanted: Callable[[str, str], bool]) -> None:
        """Remove properties, those inside other properties too.

        Args:
            unwanted: of URI and name of a property.
        """
        for element, scope in list(self._walk()):
            for attribute in list(element.attrib):
                if not _DECLARATION.match(attribute) and ":" in attribute and unwanted(*_name(attribute, scope)):
                    del element.attrib[attribute]
            for child in list(element):
                if unwanted(*_name(child.tag, _inner(child, scope))):
                    element.remove(child)

    def add(self, uris: Mapping[str, str], values: Mapping[tuple[str, str], str]) -> None:
        """Add properties.

        Args:
            uris: prefix -> URI.
            values: (prefix, name) -> text; characters that XML lacks become U+FFFD.
        """
        about = next(self._values(RDF, "about"), "")
        declared = {f"xmlns:{prefix}": uri for prefix, uri in {"rdf": RDF, **uris}.items()}
        description = SubElement(self._rdf, "rdf:Description", {**declared, "rdf:about": about})
        for (prefix, name), text in values.items():
            SubElement(description, f"{prefix}:{name}").text = clean(text)

    def to_bytes(self) -> bytes:
        """The packet in UTF-8."""
        return (_BEGIN + tostring(self._root, encoding="unicode") + _END).encode()

    def _walk(self) -> Iterator[tuple[Element, Scope]]:
        """Each element with the prefixes that hold in it, in the order of the text."""
        stack = [(self._root, _inner(self._root, ChainMap({"xml": "http://www.w3.org/XML/1998/namespace"})))]
        while stack:
            element, scope = stack.pop()
            yield element, scope
            stack += [(child, _inner(child, scope)) for child in reversed(element)]

    def _values(self, uri: str, name: str) -> Iterator[str]:
        """The values of a property in all descriptions of the picture."""
        outer = next(scope for element, scope in self._walk() if element is self._rdf)
        for description in self._rdf:
            scope = _inner(description, outer)
            yield from (
                value for key, value in description.attrib.items() if ":" in key and _name(key, scope) == (uri, name)
            )
            for child in description:
                held = _inner(child, scope)
                if _name(child.tag, held) == (uri, name):
                    pointed = [to for key, to in child.attrib.items() if _name(key, held) == (RDF, "resource")]
                    yield pointed[0] if pointed else (child.text or "").strip()


def clean(text: str) -> str:
    """The text with U+FFFD for each character that XML 1.0 lacks, control characters and lone surrogates."""
    return _NOT_IN_XML.sub("\ufffd", text)


def _inner(element: Element, scope: Scope) -> Scope:
    """The prefixes inside an element."""
    declared = {key.partition(":")[2]: uri for key, uri in element.attrib.items() if _DECLARATION.match(key)}
    return scope.new_child(declared) if declared else scope


def _name(tag: str, scope: Scope) -> tuple[str, str]:
    """(URI, name) of a name with its prefix."""
    prefix, _, local = tag.rpartition(":")
    return scope.get(prefix, ""), local


def _parse(content: bytes) -> Element:
    """The root of a packet, its names with their prefixes."""
    if len(content) > LARGEST:
        raise ValueError(f"it has {len(content):,} bytes, at most {LARGEST:,} are read")
    builder = TreeBuilder()
    try:
        _run(expat.ParserCreate(namespace_separator=" "), TreeBuilder(), content)  # every prefix has its URI
        _run(expat.ParserCreate(), builder, content)
        return builder.close()
    except (expat.ExpatError, LookupError) as error:
        raise ValueError(f"it is not well-formed: {error}") from error


def _run(parser: expat.XMLParserType, builder: TreeBuilder, content: bytes) -> None:
    level = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal level
        level += 1
        if level > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal level
        level -= 1
        builder.end(name)

    def refuse(*_: object) -> NoReturn:
        raise ValueError("it has a document type, which XMP has not")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content.strip(b"\0 \t\r\n"), True)
