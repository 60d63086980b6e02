"""Text to tokens with their places: one documented rule, any script, case kept."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

# The first two lines match nothing that the others would not: most of English at half the time.
# The look-ahead before the lazy match spares every word without "'t" a search through it.
RULE = r"""
    [A-Za-z]++ (?= [\ .,;:!?()\n] )                    # a word, plainly ended
  | [.,;:!?()] (?= [\ \nA-Za-z] )                      # a sign, plainly alone
  | \d+ (?: [.,:/] \d+ )+ (?! {word} )                 # a number with separators: 2.50  1,000
  | (?= {word}++ ['’] [tT] ) {word}+? (?= {negation} )  # the verb before n't:      do|n't
  | {negation}                                          # the negation itself
  | ['’] (?: [sSmMdD] | [rR][eE] | [vV][eE] | [lL][lL] ) (?! {word} )  # other clitics: it|'s
  | {extend}* \w {word}*                                # a word or a plain number
  | [^\w\s{invisible}] {extend}*                        # any other visible sign, alone
"""


@functools.cache
def token_pattern() -> re.Pattern[str]:
    """The compiled rule: clitics are cut as in the Penn Treebank and GloVe, hyphens cut words."""
    return compiled(RULE)


def compiled(rule: str) -> re.Pattern[str]:
    """A rule with its names filled in."""
    invisible = _invisible_characters()
    extend = f"[{invisible}]"
    word = rf"[\w{invisible}]"
    negation = rf"[nN] ['’] [tT] (?! {word} )"
    filled = rule.format(word=word, extend=extend, invisible=invisible, negation=negation)
    return re.compile(filled, re.VERBOSE)


def tokenize(text: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Tokens of `text` and their [start, end) in characters; both are empty for blank text."""
    matches = tuple(token_pattern().finditer(text))
    tokens = tuple(sys.intern(match.group()) for match in matches)
    return tokens, tuple(match.span() for match in matches)


def _invisible_characters() -> str:
    """Marks, joiners and controls: they belong to the sign before them and never stand alone."""
    # `\w` knows no combining marks, so without them Hindi or decomposed é would fall apart.
    codes = (*range(0x20000), *range(0xE0000, 0xE0200))
    kinds = {"Mn", "Mc", "Me", "Cf", "Cc"}
    chosen = (chr(code) for code in codes if unicodedata.category(chr(code)) in kinds)
    return _as_ranges([character for character in chosen if not character.isspace()])


def _as_ranges(characters: list[str]) -> str:
    """The inside of a regex class: runs of neighbours written as a-b."""
    runs: list[list[int]] = []
    for code in map(ord, characters):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)
