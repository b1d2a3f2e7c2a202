"""Values of the protocol from the command line."""

import pytest

from dateline.cli.evaluation.protocol import at_least, read_protocol
from dateline.errors import UserError


def test_values_are_laid_over_the_named_protocol():
    protocol = read_protocol("paper", ["--protocol.truncation", "512", "--protocol.num_documents=9"], "dateline x")
    assert (protocol.name, protocol.truncation, protocol.num_documents) == ("paper", 512, 9)


@pytest.mark.parametrize("words", [["--window", "3"], ["--train.steps", "3"], ["--protocol.a.b", "3"]])
def test_other_options_are_refused_by_name(words):
    with pytest.raises(UserError, match=rf"unknown option '{words[0]}'; see dateline x --help"):
        read_protocol("strict", words, "dateline x")


def test_numbers_that_are_too_small_are_refused_by_the_name_of_their_option():
    at_least(1, batch_tokens=1, top=3)
    with pytest.raises(UserError, match="--batch-tokens 0: give 1 or more"):
        at_least(1, top=1, batch_tokens=0)
