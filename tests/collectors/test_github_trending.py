"""GitHub's trending page through all generations of its markup, against true captures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.github import GithubCollector
from stoma.collectors.github_trending import address, read_page
from stoma.errors import BadAnswer, SourceBusy, SourceRefused, Unreachable
from tests.support.budget import START
from tests.support.server import Reply
from tests.support.world import Serve, World

# Counted in the captures by searching their bytes: rows, and how many of them have each field.
CAPTURES: dict[str, tuple[str, dict[str, int]]] = {
    "2014-09_all_weekly": ("weekly", {"rank": 25, "id": 0, "stars": 0, "forks": 0, "period_stars": 25}),
    "2016-01_ruby": ("daily", {"rank": 25, "id": 0, "stars": 0, "forks": 0, "period_stars": 24}),
    "2016-11_all": ("daily", {"rank": 25, "id": 0, "stars": 25, "forks": 25, "period_stars": 25}),
    "2017-07_alloy_no_period_stars": (
        "daily",
        {"rank": 25, "id": 0, "stars": 25, "forks": 18, "period_stars": 0},
    ),
    "2019-03_all": ("daily", {"rank": 25, "id": 0, "stars": 25, "forks": 25, "period_stars": 25}),
    "2019-07_all": ("daily", {"rank": 25, "id": 25, "stars": 25, "forks": 25, "period_stars": 25}),
    "2020-05_swift": ("daily", {"rank": 25, "id": 25, "stars": 25, "forks": 25, "period_stars": 25}),
    "2021-04_short_4_rows": ("daily", {"rank": 4, "id": 4, "stars": 4, "forks": 4, "period_stars": 4}),
    "2022-01_all_monthly": ("monthly", {"rank": 25, "id": 25, "stars": 25, "forks": 25, "period_stars": 25}),
    "2023-12_alloy_empty": ("daily", {"rank": 0}),
    "2023-12_ruby_weekly": ("weekly", {"rank": 25, "id": 25, "stars": 25, "forks": 25, "period_stars": 25}),
    "2026-05_rust_weekly_16_rows": (
        "weekly",
        {"rank": 16, "id": 16, "stars": 16, "forks": 16, "period_stars": 16},
    ),
}


def body_of(recorded: Path, name: str) -> bytes:
    return (recorded / "github" / f"trending_{name}.html").read_bytes()


def read(body: bytes) -> Any:
    return read_page(Response("https://github.com/trending", 200, {}, body, START))


class TestCaptures:
    @pytest.mark.parametrize("name", CAPTURES)
    def test_every_row_and_every_figure(self, recorded: Path, name: str):
        page = read(body_of(recorded, name))
        period, counts = CAPTURES[name]
        assert page.period == period
        assert {field: sum(field in item for item in page.items) for field in counts} == counts
        assert [item["rank"] for item in page.items] == list(range(1, counts["rank"] + 1))
        assert {item.get("period", period) for item in page.items} <= {period}

    @pytest.mark.parametrize("name", CAPTURES)
    def test_names_are_those_of_the_star_buttons(self, recorded: Path, name: str):
        body = body_of(recorded, name)
        # Found without any parser: each row has one button that leads to the login and back to the repository.
        found = re.findall(r"/login\?return_to=(?:%2F|/)([\w.-]+)%2F([\w.-]+)\"", body.decode())
        names = [f"{owner}/{name}" for owner, name in found if owner != "trending"]
        assert [item["full_name"] for item in read(body).items] == names

    def test_numbers_are_those_of_the_star_buttons(self, recorded: Path):
        for name in CAPTURES:
            body = body_of(recorded, name)
            buttons = re.findall(rb"star button&quot;,&quot;repository_id&quot;:(\d+)", body)
            assert [item["id"] for item in read(body).items if "id" in item] == [
                int(one) for one in buttons
            ], name

    def test_the_first_of_each_generation_to_the_last_letter(self, recorded: Path):
        assert read(body_of(recorded, "2014-09_all_weekly")).items[1] == {
            "rank": 2, "full_name": "gionkunz/chartist-js", "description": "Simple responsive charts",
            "language": "JavaScript", "period": "weekly", "period_stars": 1652,
        }  # fmt: skip
        assert read(body_of(recorded, "2016-11_all")).items[0] == {
            "rank": 1, "full_name": "Bilibili/flv.js", "description": "HTML5 FLV Player", "language": "JavaScript",
            "stars": 3782, "forks": 337, "period": "daily", "period_stars": 503,
        }  # fmt: skip
        assert read(body_of(recorded, "2026-05_rust_weekly_16_rows")).items[0] == {
            "rank": 1, "full_name": "warpdotdev/warp", "id": 384219990,
            "description": "Warp is an agentic development environment, born out of the terminal.",
            "language": "Rust", "stars": 55730, "forks": 4088, "period": "weekly", "period_stars": 15633,
        }  # fmt: skip

    def test_letters_of_every_script_and_emoji(self, recorded: Path):
        texts = [item["description"] for item in read(body_of(recorded, "2022-01_all_monthly")).items]
        assert any("🚀" in text for text in texts)
        assert "深度学习500问" in read(body_of(recorded, "2019-07_all")).items[2]["description"]

    def test_a_row_without_stars_of_the_period_has_none(self, recorded: Path):
        items = read(body_of(recorded, "2016-01_ruby")).items
        assert [item["full_name"] for item in items if "period_stars" not in item] == ["saasbook/typo"]
        assert read(body_of(recorded, "2021-04_short_4_rows")).items[2]["period_stars"] == 0


class TestOtherMarkup:
    """What a change of the markup would do to the newest capture: an error, never fewer figures in silence."""

    @pytest.mark.parametrize(
        ("pattern", "new", "words"),
        [
            (rb"Box-row", b"Tile", "no repository and no box that says so"),
            (rb"<article", b"<section", "no repository and no box that says so"),
            (rb'<h2 class="h3', b'<div class="h3', "16 rows, but no name of a repository"),
            (rb'href="(/[\w.-]+/[\w.-]+)"', rb'href="/r\1"', "no name of a repository"),
            (rb"/stargazers", b"/stars", "16 rows, but no number of stars"),
            (rb"\n        [\d,]+</a>", b"</a>", "16 rows, but no number of stars"),
            (rb"</html>\s*$", b"", "is not a whole page"),
        ],
    )
    def test_is_an_error(self, recorded: Path, pattern: bytes, new: bytes, words: str):
        body, count = re.subn(pattern, new, body_of(recorded, "2026-05_rust_weekly_16_rows"))
        assert count
        with pytest.raises(BadAnswer, match=words) as bad:
            read(body)
        assert bad.value.message.startswith("https://github.com/trending")

    def test_an_empty_page_whose_box_is_gone(self, recorded: Path):
        with pytest.raises(BadAnswer, match="markup changed"):
            read(body_of(recorded, "2023-12_alloy_empty").replace(b"blankslate", b"box"))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html></html>",
            b"Rate exceeded.",
            bytes(range(256)),
            b"<!DOCTYPE html><html><body><h1>Sign in to GitHub</h1></body></html>",
            b"<html><div class='blankslate'>Nothing here</div></html>",
        ],
    )
    def test_what_is_no_trending_page(self, body: bytes):
        with pytest.raises(BadAnswer):
            read(body)

    def test_attributes_in_another_order_and_more_classes(self, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        turned = re.sub(rb'<a (data-hydro-click="[^"]*") ([^>]*)(href="[^"]*")', rb"<a \3 \2 \1", body)
        turned = turned.replace(b'class="Box-row"', b'data-x="1" class="Box-row d-flex"')
        assert turned != body
        assert read(turned).items == read(body).items

    def test_a_drawing_that_is_never_closed_hides_nothing(self, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        torn = body.replace(b"</h2>", b"<svg><path/></h2>").replace(b"Coding Agent", b"Coding <svg/>Agent")
        assert torn != body
        assert read(torn).items == read(body).items

    def test_developers_have_rows_of_the_same_class(self, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        title = b"<title>Trending Rust developers on GitHub this week"
        with pytest.raises(BadAnswer, match="trending developers"):
            read(re.sub(rb"<title>[^<]*", title, body))

    def test_a_row_that_says_two_numbers_says_none(self, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows").replace(
            b"record_id&quot;:384219990", b"record_id&quot;:7"
        )
        assert "id" not in read(body).items[0]

    def test_one_bad_row_stays_for_the_rejects(self, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        items = read(body.replace(b'href="/warpdotdev/warp" ', b'href="/sponsors" ')).items
        assert len(items) == 16
        assert "full_name" not in items[0]
        assert "warpdotdev" in items[0]["text"]

    def test_rows_without_links_are_told(self, world: World, serve: Serve, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        bare = re.sub(rb'(<h2 class="h3[^>]*>\s*<a [^>]*)href="[^"]*"', rb"\1", body, count=5)
        assert bare != body
        (page,) = world.collect(
            GithubCollector(), {"base_url": serve(Reply(body=bare)).url, "since": "weekly"}
        )
        assert [("full_name" in item) for item in page.items] == [False] * 5 + [True] * 11
        assert world.told == ["5 of 16 rows have no link to a repository"]

    @pytest.mark.parametrize(
        ("total", "period", "expected"),
        [
            (b"55.7k", b"15.6k", (55_700, 15_600)),
            (b"1.2M", b"999", (1_200_000, 999)),
            (b"55k", b"1,563", (55_000, 1_563)),
        ],
    )
    def test_rounded_numbers_are_read_and_told(
        self, world: World, serve: Serve, recorded: Path, total: bytes, period: bytes, expected: Any
    ):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        rounded = body.replace(b"55,730", total).replace(b"15,633 stars", period + b" stars")
        (page,) = world.collect(
            GithubCollector(), {"base_url": serve(Reply(body=rounded)).url, "since": "weekly"}
        )
        first = page.items[0]
        assert (first["stars"], first["period_stars"]) == expected
        assert "is_rounded" not in first
        assert world.told == ["the page rounds its numbers (1.2k): stars and forks are only about right"]
        assert page.items[1:] == [item | {"list": "weekly"} for item in read(body).items[1:]]

    def test_one_broken_letter_spoils_no_other(self, recorded: Path):
        body = body_of(recorded, "2019-07_all")
        assert body.count(b"Diablo build") == 1
        items = read(body.replace(b"Diablo build", b"Diablo \xff build")).items
        assert "�" in items[1]["description"]
        assert "深度学习500问" in items[2]["description"]

    def test_a_wrong_encoding_label_changes_nothing(self, recorded: Path):
        body = body_of(recorded, "2019-07_all")
        wrong = body.replace(b'charset="utf-8"', b'charset="gb2312"')
        assert wrong != body
        assert read(wrong).items == read(body).items


class TestAsking:
    @pytest.mark.parametrize(
        ("language", "path"),
        [
            (None, "/trending"),
            ("python", "/trending/python"),
            ("C++", "/trending/c++"),
            ("c#", "/trending/c%23"),
            ("c%23", "/trending/c%23"),
            ("Jupyter Notebook", "/trending/jupyter-notebook"),
            ("Visual Basic .NET", "/trending/visual-basic-.net"),
            ("F*", "/trending/f*"),
            ("Ren'Py", "/trending/ren'py"),
            ("Graphviz (DOT)", "/trending/graphviz-(dot)"),
            ("HTML+ERB", "/trending/html+erb"),
            ("../login", "/trending/..%2Flogin"),
        ],
    )
    def test_the_address_of_a_language(self, language: str | None, path: str):
        assert address({"language": language}) == path

    def test_every_language_of_the_menu_is_spelled_as_there(self, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows").decode().replace("&#39;", "'")
        found = re.findall(
            r'href="/trending/([^"?]+)\?since=weekly"[^>]*>\s*(?:<[^>]*>\s*)*([^<]+?)\s*<', body
        )
        assert len(found) > 700
        other = [slug for slug, name in found if address({"language": name}) != f"/trending/{slug}"]
        assert other == ["unknown"]  # called "Unknown languages" there

    def test_what_is_asked_and_what_comes(self, world: World, serve: Serve, recorded: Path):
        server = serve(Reply(body=body_of(recorded, "2026-05_rust_weekly_16_rows")))
        config = {
            "base_url": server.url,
            "language": "Rust",
            "since": "weekly",
            "spoken_language_code": "en",
            "limit": 3,
        }
        (page,) = world.collect(GithubCollector(), config | {"token": "never-sent"})
        (asked,) = server.requests
        assert (asked.path, asked.query) == (
            "/trending/rust",
            {"since": "weekly", "spoken_language_code": "en"},
        )
        assert "authorization" not in asked.headers
        assert [item["full_name"] for item in page.items] == [
            "warpdotdev/warp", "1jehuang/jcode", "zed-industries/zed",
        ]  # fmt: skip
        assert {item["list"] for item in page.items} == {"weekly:rust:en"}
        assert (page.source, page.next_page, page.cursor, page.expected) == ("github", None, None, 3)

    @pytest.mark.parametrize(
        ("config", "ranking"),
        [
            ({}, "daily"),
            ({"language": "c#"}, "daily:c%23"),
            ({"spoken_language_code": "de"}, "daily::de"),
            ({"since": "weekly"}, "daily"),  # the page itself knows better
        ],
    )
    def test_the_name_of_the_ranking(
        self, world: World, serve: Serve, recorded: Path, config: Any, ranking: str
    ):
        server = serve(Reply(body=body_of(recorded, "2020-05_swift")))
        (page,) = world.collect(GithubCollector(), {"base_url": server.url, **config})
        assert {item["list"] for item in page.items} == {ranking}
        assert len(page.items) == 25
        assert len(world.told) == ("since" in config)

    def test_nothing_trending_is_one_empty_page(self, world: World, serve: Serve, recorded: Path):
        server = serve(Reply(body=body_of(recorded, "2023-12_alloy_empty")))
        (page,) = world.collect(GithubCollector(), {"base_url": server.url, "language": "alloy"})
        assert (page.items, page.expected) == ([], 0)


class TestMisbehaviour:
    @pytest.mark.parametrize(
        "fault",
        [
            Reply(reset=True), Reply(drop=True), Reply(hang=True), Reply(500), Reply(503, headers={"Retry-After": "2"}),
            Reply(200, b"<html>Unicorn!</html>"), Reply(200, b"{}", {"Content-Type": "application/json"}),
        ],
    )  # fmt: skip
    def test_a_passing_fault_costs_one_more_request(
        self, world: World, serve: Serve, recorded: Path, fault: Reply
    ):
        good = Reply(body=body_of(recorded, "2021-04_short_4_rows"))
        server = serve(lambda asked: fault if asked.number == 1 else good)
        (page,) = world.collect(GithubCollector(), {"base_url": server.url}, silence=0.2)
        assert len(page.items) == 4
        assert len(server.requests) == 2

    @pytest.mark.parametrize(
        ("fault", "error", "words"),
        [
            (Reply(reset=True), Unreachable, "reset"),
            (Reply(200, b"<html><body>Unicorn!</body></html>"), BadAnswer, "markup changed"),
            (Reply(404, b"<html>Not Found</html>"), SourceRefused, "404 Not Found"),
            (Reply(403, b"<html>Forbidden</html>"), SourceRefused, "403 Forbidden"),
            (Reply(410), SourceRefused, "410 Gone"),
            (
                Reply(429, b"<html><body>Too many requests</body></html>"),
                SourceBusy,
                "429 Too Many Requests: Too many",
            ),
            (Reply(302, headers={"Location": "/trending"}), SourceRefused, "redirects more than 5 times"),
        ],
    )
    def test_a_lasting_fault_names_address_and_cause(
        self, world: World, serve: Serve, fault: Reply, error: type[Exception], words: str
    ):
        server = serve(fault)
        with pytest.raises(error, match=words) as failed:
            world.collect(GithubCollector(), {"base_url": server.url})
        assert f"{server.url}/trending" in str(failed.value)

    def test_a_page_that_was_cut_off(self, world: World, serve: Serve, recorded: Path):
        body = body_of(recorded, "2026-05_rust_weekly_16_rows")
        server = serve(Reply(body=body[: len(body) // 2], chunked=True))
        with pytest.raises(BadAnswer, match="is not a whole page"):
            world.collect(GithubCollector(), {"base_url": server.url})


def test_items_are_plain_values(recorded: Path):
    for name in CAPTURES:
        items = read(body_of(recorded, name)).items
        assert json.loads(json.dumps(items)) == items
