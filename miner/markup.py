"""XML and HTML of strangers, read without entities, DTDs or network; and the text in it."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from data.errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element

Skip = Collection[str]


def lxml_etree() -> Any:
    """The parser library, which is in an extra.

    Raises:
        InputError: it is not installed.
    """
    try:
        from lxml import etree
    except ImportError as e:
        raise InputError("full text needs lxml; pip install 'cats-toolkit[fulltext]'") from e
    return etree


def xml_root(body: bytes) -> _Element:
    """The root of an XML document.

    Raises:
        InputError: it is not well-formed, nested too deeply, or declares entities.
    """
    etree = lxml_etree()
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root: _Element | None = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as e:
        raise InputError(f"no well-formed XML ({e})") from e
    if root is None:
        raise InputError("no XML in it")
    # Any: lxml's stubs, where there are any, do not know `iterentities`.
    inner: Any = root.getroottree().docinfo.internalDTD
    if inner is not None and next(inner.iterentities(), None):
        raise InputError("XML that declares entities of its own; it is not read")
    return root


def html_root(body: bytes) -> _Element:
    """The root of an HTML document, however badly it is formed.

    Raises:
        InputError: there is nothing in it.
    """
    etree = lxml_etree()
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root: _Element | None = etree.fromstring(body, parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as e:
        raise InputError(f"no HTML ({e})") from e
    if root is None:
        raise InputError("no HTML in it")
    return root


def name(element: _Element) -> str:
    """An element's name without its namespace; "" for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: _Element, *names: str) -> Iterator[_Element]:
    """The children of these names, of all names if none is given, in their order."""
    return (child for child in element if name(child) and (not names or name(child) in names))


def inside(element: _Element, *names: str) -> Iterator[_Element]:
    """The elements of these names at any depth, in document order, itself included."""
    return (found for found in element.iter() if name(found) in names)


def attribute(element: _Element, wanted: str) -> str:
    """An attribute by its name without namespace; "" if there is none."""
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == wanted:
            return str(value)
    return ""


def text_of(element: _Element, *, skip: Skip = (), blocks: Skip = ()) -> str:
    """The text in an element, as it stands.

    Args:
        skip: names of elements that are left out.
        blocks: names of elements that do not run on: a space is set around their text.
    """
    return "".join(_texts(element, skip, blocks))


def _texts(element: _Element, skip: Skip, blocks: Skip) -> Iterator[str]:
    # Depth is bounded by the parser (256), so that recursion is too.
    yield element.text or ""
    for child in element:
        called = name(child)
        if called and called not in skip and not is_marked(child, skip):
            yield _inner(child, called, skip, blocks)
        elif not called:
            yield _entity(child)
        yield child.tail or ""


def _inner(child: _Element, called: str, skip: Skip, blocks: Skip) -> str:
    text = text_of(child, skip=skip, blocks=blocks)
    if called == "math":
        return "".join(text.split())  # space in MathML has no meaning
    return f" {text} " if called in blocks else text


def is_marked(element: _Element, classes: Iterable[str]) -> bool:
    """Whether an HTML element is of one of these classes, written `.name`."""
    own = element.get("class")
    return own is not None and any(f".{word}" in classes for word in own.split())


def _entity(node: Any) -> str:
    """The character of an entity that is left unresolved, if HTML knows its name."""
    called = getattr(node, "name", None)
    if not called:
        return ""
    character = html.unescape(f"&{called};")
    return "" if character.startswith("&") and len(character) > 1 else character
