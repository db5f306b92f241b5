"""XML of EDGAR's as a tree: nothing outside it is fetched, no entity expanded, no document type accepted."""

from __future__ import annotations

import re
from typing import Any

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")


def xml_root(body: bytes) -> Any:
    """The root of a document; raises ValueError saying what is wrong with it."""
    from lxml import etree

    body = body.strip()
    if not body:
        raise ValueError("it is empty")
    fault = ""
    # As it says it is; without stray control characters; as the bytes of ISO-8859-1 that old forms are.
    cleaned = _FORBIDDEN.sub(b" ", body)
    plain = _DECLARATION.sub(b"", cleaned).decode("latin-1").encode()
    for version in dict.fromkeys((body, cleaned, plain)):
        parser = etree.XMLParser(
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            root = etree.fromstring(version, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            fault = fault or str(error)
            continue
        if root.getroottree().docinfo.internalDTD is not None:
            raise ValueError("it declares a document type")
        return root
    raise ValueError(fault)
