"""What the endpoints take and give, as the OpenAPI page shows it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from n2r_jax.serve.limits import LIMITS
from n2r_jax.serve.model import Found

NDJSON = "application/x-ndjson"
Probabilities = dict[str, float]
ABSENT: Any = None
"""Of a field that may be left out, but not be null."""


def _text_or_tokens(schema: dict[str, Any]) -> None:
    """What `one_of_both` asks for, said in the schema; a default would say that null may be."""
    schema["oneOf"] = [{"required": ["text"]}, {"required": ["tokens"]}]
    for field in schema["properties"].values():
        if field.get("default", 0) is None:
            del field["default"]


LongText = Annotated[str, Field(max_length=LIMITS.characters)]
Tokens = Annotated[list[str], Field(min_length=1, max_length=LIMITS.tokens)]


class Asking(BaseModel):
    """A text to explain, as a string or cut into tokens."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_text_or_tokens)

    text: LongText = Field(ABSENT, examples=["The room was spotless but noisy."])
    tokens: Tokens = ABSENT
    sparsity: float = Field(
        ABSENT,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Select this share of the tokens, the best-scored; else what the run selects.",
    )
    faithfulness: bool = Field(
        False, description="Also predict from the whole text, the rationale alone and the rest."
    )

    @model_validator(mode="after")
    def one_of_both(self) -> Asking:
        """Either `text` or `tokens`."""
        if len({"text", "tokens"} & self.model_fields_set) != 1:
            raise ValueError("give either 'text' or 'tokens'")
        return self


class TextOrPair(Asking):
    """A text or a pair to explain, as a string or cut into tokens."""

    second: LongText = Field(ABSENT, description="Of a pair: the other text.")


def question_model(choices: int) -> type[Asking]:
    """What a run takes that chooses among so many answers; 1: one that reads texts and pairs."""
    if choices == 1:
        return TextOrPair
    given = Field(
        min_length=choices,
        max_length=choices,
        description=f"The {choices} answers to choose from, each a string or a list of tokens.",
    )
    about = "A question and its answers, as strings or cut into tokens."
    return create_model(
        "QuestionWithChoices",
        __base__=Asking,
        __doc__=about,
        choices=Annotated[list[LongText | Tokens], given],
    )


class FaithfulnessAnswer(BaseModel):
    """What the predictor says of the text with and without its rationale."""

    label: str = Field(description="Predicted from the whole text.")
    whole: Probabilities
    rationale: Probabilities = Field(description="Of the rationale alone.")
    rest: Probabilities = Field(description="Of the text without its rationale.")
    comprehensiveness: float = Field(description="p(label | whole) - p(label | rest)")
    sufficiency: float = Field(description="p(label | whole) - p(label | rationale)")


class Choice(BaseModel):
    """One of the answers to a question, with the reasons for it."""

    tokens: list[str]
    probability: float
    mask: list[int] = Field(description="1 for every selected token of the question.")
    scores: list[float]
    answer_mask: list[int] = Field(description="1 for every selected token of the answer.")


class Answer(BaseModel):
    """A label with its reasons."""

    label: str
    probabilities: Probabilities
    tokens: list[str]
    mask: list[int] = Field(description="1 for every selected token.")
    scores: list[float] = Field(description="Of each token to be selected.")
    spans: list[tuple[int, int]] = Field(description="Runs of selected tokens, [start, end).")
    text: str | None = None
    char_spans: list[tuple[int, int]] | None = Field(
        None, description="The same in characters (Unicode code points) of the text."
    )
    second: int | None = Field(None, description="Of a pair: its second text's first token.")
    second_text: str | None = None
    second_char_spans: list[tuple[int, int]] | None = None
    sparsity: float = Field(
        description="Share of the tokens that is selected; a question's with its answer's."
    )
    unread: int = Field(description="Tokens beyond what the model reads; never selected.")
    choices: list[Choice] | None = Field(
        None, description="Of a question: every answer; the mask above is of the predicted one."
    )
    faithfulness: FaithfulnessAnswer | None = None


class AnsweredRow(Answer):
    """A row of a file, explained."""

    id: str


class AnsweredRows(BaseModel):
    """A file's rows in their order."""

    rows: list[AnsweredRow]


class ServedLimits(BaseModel):
    """What a request may ask for at most."""

    body_bytes: int
    characters: int
    tokens: int
    rows: int
    seconds: float
    waiting: int


class About(BaseModel):
    """The run behind the endpoints."""

    method: str
    checkpoint: str
    labels: list[str]
    choices: int = Field(description="Answers to each question; 1: it reads texts and pairs.")
    predicts_from: Literal["rationale", "whole"]
    target_sparsity: float
    max_length: int = Field(description="Tokens (of a transformer pieces) that the model reads.")
    version: str
    limits: ServedLimits


class Problem(BaseModel):
    """Why a request was refused, in one line."""

    detail: str


def to_answer(found: Found) -> dict[str, Any]:
    """An `Answer`'s fields; what is not there is left out."""
    explanation = found.explanation
    answer, selected = explanation.to_dict(), explanation.mask
    if explanation.choices is not None:
        chosen = list(explanation.probabilities).index(explanation.label)
        selected += explanation.choices[chosen].answer_mask
    answer["sparsity"] = sum(selected) / len(selected)
    answer["unread"] = found.unread
    if found.faithfulness is not None:
        answer["faithfulness"] = found.faithfulness._asdict()
    return answer
