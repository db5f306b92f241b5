"""YAML files as people write them, and messages that help when something in them is wrong.

- reading: a file or text becomes a Document, plain values that remember where they stand
- schemas: the JSON Schemas of `schemas/`, each in one piece
- checking: what does not fit a schema, judged by jsonschema
- wording: each fault as a sentence with what was found, what is allowed, what was probably meant
"""

from stoma.documents.checking import Checker, Format
from stoma.documents.reading import Document, of_values, parse, read
from stoma.documents.schemas import schema, schema_names
from stoma.documents.wording import explain, problems_of_syntax

__all__ = [
    "Checker",
    "Document",
    "Format",
    "explain",
    "of_values",
    "parse",
    "problems_of_syntax",
    "read",
    "schema",
    "schema_names",
]
