"""A store with records of every kind: what the demo's stand-in gives, once for all tests that only read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

YAML = """\
version: 1
presets: []
store: {raw: 90d}
# One after the other, so that a search finds again what was trending.
scheduler: {max_concurrent_tasks: 1}
tasks:
  papers: {collector: arxiv, config: {search_query: "cat:cs.LG", max_results: 50}}
  trending: {collector: github, config: {language: python}}
  search: {collector: github, config: {mode: search, query: "language:python", limit: 60}}
  insiders: {collector: sec_edgar, config: {filing_type: "4", form4_details: true, tickers: [AAPL], days_back: 90}}
  filings: {collector: sec_edgar, config: {tickers: [AAPL], days_back: 30}}
  blog: {collector: feed, config: {url: "https://blog.example.org/feed.xml"}}
"""


def collect(folder: Path) -> str:
    """Run every task of the demo once; gives the address of the store, counted from `folder`."""
    (folder / "stoma.yaml").write_text(YAML)
    command = [sys.executable, "-m", "stoma.cli.run", "--demo", "--once"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return "sqlite:///stoma-demo/stoma.db"
