"""Papers that nobody wrote: deterministic for each day, so that a later demonstration adds to an earlier one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

DAYS = 60
"""How far back the inventions reach: several hundred papers."""

MARK = "This paper was invented for a demonstration of Stoma."


@dataclass(frozen=True, slots=True)
class Paper:
    """One invented paper; the first of its categories is the primary one."""

    id: str
    version: int
    title: str
    summary: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published: datetime
    updated: datetime
    comment: str
    journal_ref: str
    doi: str


def invent(now: datetime) -> list[Paper]:
    """All papers submitted up to `now`, the newest first."""
    today = now.astimezone(UTC).date()
    papers = [paper for back in range(DAYS) for paper in _day(today - timedelta(days=back), now)]
    return sorted(papers, key=lambda paper: (paper.published, paper.id), reverse=True)


def _day(day: date, now: datetime) -> list[Paper]:
    # Seeded by the date alone: the same day brings the same papers whenever it is looked at.
    chance = random.Random(f"papers of {day}")  # noqa: S311
    count = chance.randint(10, 14) if day.weekday() < 5 else 2
    papers = [_paper(chance, day, number, now) for number in range(count)]
    return [paper for paper in papers if paper.published <= now]


def _paper(chance: random.Random, day: date, number: int, now: datetime) -> Paper:
    primary = chance.choice(list(TOPICS))
    others = chance.sample([name for name in TOPICS if name != primary], chance.choice((0, 0, 1, 1, 2)))
    subject, thing = chance.choice(TOPICS[primary]), chance.choice(THINGS)
    authors = chance.sample(SURNAMES, chance.randint(1, 6))
    second = chance.randrange(24 * 3600)
    published = datetime.combine(day, time(), UTC) + timedelta(seconds=second)
    revised = published + timedelta(days=chance.randint(1, 9), seconds=chance.randrange(3600))
    is_revised = chance.random() < 0.2 and revised <= now
    has_journal = chance.random() < 0.1
    return Paper(
        # True numbers of a month do not reach 90,000, so no invention is mistaken for a paper.
        id=f"{day:%y%m}.9{day.day:02}{number:02}",
        version=2 if is_revised else 1,
        title=_capital(chance.choice(TITLES).format(subject=subject, thing=thing)),
        summary=" ".join(
            text.format(subject=subject, thing=thing, number=chance.randint(2, 97))
            for text in (*chance.sample(SENTENCES, 4), MARK)
        ),
        authors=tuple(f"{chance.choice(NAMES)} {surname}" for surname in authors),
        categories=(primary, *others),
        published=published,
        updated=revised if is_revised else published,
        comment=f"{chance.randint(4, 40)} pages, {chance.randint(1, 12)} figures, all of them imaginary",
        journal_ref=f"J. Invented Res. {chance.randint(1, 99)} ({day.year})" if has_journal else "",
        doi=f"10.5555/stoma.{day:%Y%m%d}.{number}" if has_journal else "",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


TOPICS: dict[str, tuple[str, ...]] = {
    "cs.LG": ("machine learning", "deep learning", "gradient descent", "representation learning"),
    "cs.AI": ("artificial intelligence", "planning agents", "knowledge graphs", "reasoning"),
    "cs.CL": ("large language models", "natural language processing", "machine translation"),
    "cs.CV": ("computer vision", "image segmentation", "object detection", "diffusion models"),
    "stat.ML": ("Bayesian inference", "statistical learning", "conformal prediction"),
    "cs.RO": ("robot locomotion", "grasping", "motion planning"),
    "cs.SE": ("software testing", "program repair", "code review"),
    "quant-ph": ("quantum error correction", "entanglement", "quantum machine learning"),
    "cond-mat.str-el": ("spin liquids", "Mott insulators"),
    "astro-ph.GA": ("galaxy formation", "globular clusters"),
    "hep-th": ("holography", "string compactification"),
    "math.CO": ("graph colouring", "Möbius ladders"),
    "q-bio.NC": ("neural coding", "memory consolidation"),
    "econ.EM": ("panel data", "causal inference"),
}
THINGS = (
    "Teapots", "Umbrellas", "Lost Keys", "Paper Planes", "Porcupines", "Wardrobes", "Doorbells", "Sundials",
    "Marmalade", "Spectacles", "Bicycle Bells", "Kites", "Snow Globes", "Left Socks",
)  # fmt: skip
NAMES = (
    "Ombeline",
    "Quillon",
    "Ysoldra",
    "Tarvo",
    "Brizel",
    "Émerine",
    "Jorvald",
    "Zdeňka",
    "Øyla",
    "Wistan",
)
SURNAMES = (
    "Fernwhistle", "Lampshade", "Quagmont", "Thistlebrück", "Pebblewick", "Okonaru", "Vandersprout", "Łopianek",
    "Candlethorpe", "Muñequero", "Brambleson", "Zettelkasten", "Hushwater", "Inkwellová",
)  # fmt: skip
TITLES = (
    "On the {subject} of {thing}",
    "Towards {thing}-Aware {subject}: A Survey of What Nobody Asked",
    r"$\mathcal{{O}}(n \log n)$ Bounds for {subject} with {thing}",
    "{thing} Are All You Need for {subject}",
    "A Naïve Baseline for {subject} Under Falling {thing}",
    r"$\beta$-{thing}: {subject} Beyond the Gödel–Teapot Limit",
    "Do {thing} Dream of {subject}?",
    "{subject} Without {thing}: A Negative Result",
)
SENTENCES = (
    "We study {subject} in the presence of {thing}.",
    "Existing work on {subject} assumes that {thing} are asleep, which is true in only {number}\\% of cases.",
    r"Our method needs $\mathcal{{O}}(\sqrt{{{number}}})$ samples and a clean table.",
    "Experiments with {number} hand-drawn {thing} show an improvement over café-style baselines.",
    r"The key is a regulariser $\lambda \|x\|_2^2 \leq {number}$ that was never needed before.",
    "Surprisingly, {subject} works best when nobody is looking.",
    "We release {number} sketches, a recipe and our apologies.",
)
