"""A corpus whose countries write about different things, and models trained with different fields."""

import json
import shutil

import numpy as np
import pytest

from dateline.records import body_text
from dateline.tokens.store import EncodedCorpus

TOPICS = {
    ("punchng.com", "ng", "Africa"): "naira senate Lagos oil",
    ("dailypost.ng", "ng", "Africa"): "naira senate Abuja oil",
    ("dawn.com", "pk", "Asia"): "rupee wicket Karachi wheat",
    ("bbc.co.uk", "gb", "Europe"): "pound rail London rain",
}


def make_article(number, split):
    (domain, country, continent), topics = list(TOPICS.items())[number % 4]
    rng = np.random.default_rng(number)
    words = " ".join(rng.choice([*topics.split(), "the", "said", "of"], size=12 + number % 7))
    return {
        "id": f"{number:016x}",
        "url": f"https://{domain}/{number}",
        "domain": domain,
        "country": country,
        "continent": continent,
        "date": "",
        "split": split,
        "body": body_text(f"News {number % 3}", words),
    }


@pytest.fixture(scope="session")
def placed_articles():
    return [make_article(number, "train" if number < 40 else "test") for number in range(64)]


@pytest.fixture(scope="session")
def placed(tmp_path_factory, placed_articles, tokenizer, write_corpus):
    return write_corpus(tmp_path_factory.mktemp("placed") / "encoded", placed_articles, tokenizer)


@pytest.fixture(scope="session")
def placed_corpus(placed):
    return EncodedCorpus.open(placed)


@pytest.fixture(scope="session")
def trained_with(tmp_path_factory, llama):
    """Copies of the tiny model that say they were trained with other fields."""

    def make(fields):
        folder = tmp_path_factory.mktemp("model")
        shutil.copytree(llama / "model", folder / "model")
        about = folder / "model" / "dateline.json"
        about.write_text(json.dumps({**json.loads(about.read_text()), "fields": fields}))
        return folder

    return make
