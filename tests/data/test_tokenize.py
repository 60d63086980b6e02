"""Tokens and their offsets."""

import itertools
import random

import pytest

from n2r_jax.data.tokenize import RULE, compiled, token_pattern, tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's good, isn't it?", "It 's good , is n't it ?"),
        ("DON'T", "DO N'T"),
        ("They’ve won’t", "They ’ve wo n’t"),
        ("ain'ty rock'n'roll", "ain ' ty rock ' n ' roll"),
        ("$3.50 (1,000) 3rd 10:30", "$ 3.50 ( 1,000 ) 3rd 10:30"),
        ("3.5mm", "3 . 5mm"),
        ("well-made ...", "well - made . . ."),
        ("naïve cafe\u0301", "naïve cafe\u0301"),
        ("हिन्दी में", "हिन्दी में"),
        ("好beer", "好beer"),
        ("👩\u200d👧!", "👩\u200d 👧 !"),
        ("a\u00a0b\u3000c\nd", "a b c d"),
        ("zero\u200bwidth \u200b", "zero\u200bwidth"),
    ],
)
def test_tokens(text, tokens):
    assert tokenize(text)[0] == tuple(tokens.split(" "))


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b \u200d"])
def test_blank_text_has_no_tokens(text):
    assert tokenize(text) == ((), ())


def test_offsets_give_the_tokens_back_in_order():
    text = "Don't — the «café» isn't, 3.5% worse! 👍"
    tokens, offsets = tokenize(text)
    assert tokens == tuple(text[start:end] for start, end in offsets)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(offsets))
    assert "".join(tokens) == "".join(text.split())


def test_the_lines_for_plain_english_change_nothing():
    plain = compiled(RULE.split("\n  | ", 2)[2])
    draw = random.Random(0)
    for _ in range(20_000):
        signs = draw.choices("aZnNtT'’.,:;!?()\n 12_-\u0301\x00\u200dé", k=draw.randint(1, 12))
        text = "".join(signs)
        found, expected = (pattern.findall(text) for pattern in (token_pattern(), plain))
        assert found == expected, repr(text)
