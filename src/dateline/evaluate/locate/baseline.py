"""What counting words gives: TF-IDF and logistic regression, trained on the same documents as the model.

Enters: training texts with their countries, texts to place. Leaves: probabilities of the same places.
Deliberately not done: no tuning on the test split and none by hand for one corpus: the settings are constants.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError

Floats = npt.NDArray[np.float64]

SETTINGS = {"ngram_range": (1, 2), "sublinear_tf": True, "min_df": 2, "max_features": 100_000, "C": 10.0,
            "max_iter": 300}  # fmt: skip
"""Words and pairs of words that occur in two documents or more, weighted by log counts; a weak L2 penalty."""


class Placed(NamedTuple):
    """What the baseline says of some texts."""

    log_probabilities: Floats
    """log p(place | text), shape [texts, places]."""
    facts: dict[str, Any]
    """Training documents, features, iterations and whether they sufficed."""


def place_by_words(
    train_texts: Sequence[str], train_countries: Sequence[str], texts: Sequence[str], codes: Sequence[str],
    prior: Floats,
) -> Placed:  # fmt: skip
    """Trains on some texts and gives the probabilities of places for others.

    A logistic regression learns the proportions of its training set with the words. They are divided out and the prior
    put in their place, so that model and baseline start from the same prior.

    Args:
        train_texts: bodies of the training documents.
        train_countries: of each.
        texts: to place.
        codes: the places.
        prior: p(place), shape [places].

    Raises:
        UserError: where scikit-learn is not installed, or a place has no training document.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UserError(
            "the baseline needs scikit-learn: pip install 'dateline[eval]', or leave it out with --no-baseline"
        ) from None
    chosen = [number for number, code in enumerate(train_countries) if code in set(codes)]
    counts = {code: sum(train_countries[number] == code for number in chosen) for code in codes}
    lacking = [code for code in codes if not counts[code]]
    if lacking:
        raise UserError(
            f"the baseline cannot learn {lacking[0]}: no training document is from there; leave the country out of "
            "--countries, or the baseline out with --no-baseline"
        )
    own = [train_texts[number] for number in chosen]
    vectorizer = TfidfVectorizer(
        ngram_range=SETTINGS["ngram_range"], sublinear_tf=SETTINGS["sublinear_tf"],
        min_df=min(int(str(SETTINGS["min_df"])), len(own)), max_features=SETTINGS["max_features"], dtype=np.float64,
    )  # fmt: skip
    try:
        features = vectorizer.fit_transform(own)
    except ValueError as error:
        raise UserError(f"the baseline finds no words in {len(own)} training documents ({error})") from None
    regression = LogisticRegression(C=SETTINGS["C"], max_iter=SETTINGS["max_iter"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the facts instead
        regression.fit(features, [train_countries[number] for number in chosen])
    learned = regression.predict_log_proba(vectorizer.transform(texts))
    columns = [list(regression.classes_).index(code) for code in codes]
    shares = np.array([counts[code] for code in codes]) / len(own)
    with np.errstate(divide="ignore"):
        moved = learned[:, columns] - np.log(shares) + np.log(prior)
    iterations = int(np.max(regression.n_iter_))
    facts = {
        "train_documents": len(own),
        "features": int(features.shape[1]),
        "iterations": iterations,
        "converged": iterations < int(str(SETTINGS["max_iter"])),
    }
    return Placed(moved - np.logaddexp.reduce(moved, axis=1, keepdims=True), facts)
