"""XML of EDGAR's as a tree: nothing outside it is fetched, no entity expanded, no document type accepted."""

from __future__ import annotations

import re
from typing import Any

from stoma.collectors.letters import without_forbidden_bytes

_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")


def xml_root(body: bytes) -> Any:
    """The root of a document; raises ValueError saying what is wrong with it."""
    from lxml import etree

    body = body.strip()
    if not body:
        raise ValueError("it is empty")
    fault = ""
    # As it says it is; without stray control characters; as the bytes of ISO-8859-1 that old forms are.
    cleaned = without_forbidden_bytes(body)
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
            # Not its text, which goes on with the name of a file that there is not.
            fault = fault or getattr(error, "msg", None) or str(error)
            continue
        if root.getroottree().docinfo.internalDTD is not None:
            raise ValueError("it declares a document type")
        return root
    raise ValueError(fault)
