"""XML as arXiv sends it, read without trusting it; for the query API and for OAI-PMH alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stoma.collectors.letters import without_forbidden_bytes
from stoma.errors import BadAnswer

if TYPE_CHECKING:
    from stoma.collectors.http import Response


def read_xml(response: Response) -> Any:
    """The root of an answer; nothing outside it is fetched, no entity expanded, no document type accepted."""
    from lxml import etree

    def parse(body: bytes) -> Any:
        parser = etree.XMLParser(
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            remove_blank_text=True,
        )
        return etree.fromstring(body, parser)

    fault = "it declares a document type"
    try:
        try:
            root = parse(response.body)
        except etree.XMLSyntaxError:
            # A stray control character may spoil one title, but not the page.
            cleaned = without_forbidden_bytes(response.body)
            if cleaned == response.body:
                raise
            root = parse(cleaned)
        if root.getroottree().docinfo.internalDTD is None:
            return root
    except (etree.XMLSyntaxError, ValueError) as error:
        # Not its text, which goes on with the name of a file that there is not.
        fault = getattr(error, "msg", None) or str(error)
    raise BadAnswer(f"{response.shown} is not XML ({fault}); it begins {response.opening!r}")
