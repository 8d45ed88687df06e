"""Adapters for known data sets, by name: their columns, quirks and question kinds.

Each is a function of its options (``data.options`` in a recipe) that returns an ``Adapter``; each
reads a hub id or a local copy. Ids are the row's place in its file, except where a data set has
ids of its own.

====================  ======================================================================
``nlvr``              Cornell NLVR, repacked: identifier, statement, label, image
``mm_rlhf``           NoisyGRPO's MM-RLHF-13k: json rows of image, problem, solution
``geometry3k``        NoisyRollout's Geometry3K: images, problem with ``<image>``, answer
``mmk12``             NoisyRollout's K12: as Geometry3K, or image, question, answer, subject
``llava_cot``         Hint-GRPO's LLaVA-CoT-100k: conversations with stages in tags
``geo170k``           Hint-GRPO's Geo170K test: image_path, question, ground_truth
====================  ======================================================================
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from noisygrpo.data.rows import Adapter, Fields, RowProblem, as_text
from noisygrpo.errors import require
from noisygrpo.rewards.choices import chosen_letter, options_of, polarity_pair, split_options

YES_NO_SENTENCE = "answer the question with yes or no"
"""How MM-RLHF asks a yes/no question (any letter case)."""


def nlvr(question: str = "Is the following statement about the image true or false? {}") -> Adapter:
    """Cornell NLVR (Suhr et al., ACL 2017): a statement about an image of three boxes.

    Columns ``identifier`` (``split-n-m-k``), ``statement``, ``label``, ``image``. Statement ``n``
    was written for four images ``m``, each in six orders ``k`` of its boxes; all of these rows
    share their statement, so ``n`` is the cluster. ``question`` wraps the statement at ``{}``.
    """
    require("{}" in question, f"data.options.question: {question!r} does not contain {{}}")

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        identifier = as_text(row, "identifier")
        parts = identifier.split("-")
        return [
            {
                "question": question.replace("{}", as_text(row, "statement")),
                "answer": as_text(row, "label").lower(),
                "id": identifier,
                "cluster": "-".join(parts[:2]) if len(parts) == 4 else identifier,
                "kind": "true_false",
            }
        ]

    return Adapter(convert, ("identifier", "statement", "label"), image=("image",))


def mm_rlhf() -> Adapter:
    """MM-RLHF-13k as NoisyGRPO uses it: ``image`` (a path), ``problem``, ``solution``.

    Solutions are short texts, option letters or yes/no; the kind follows from the question.
    """

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        question, answer = as_text(row, "problem"), as_text(row, "solution")
        kind = "text"
        if options_of(question):
            kind = "multiple_choice"
        elif polarity_pair(answer) or YES_NO_SENTENCE in question.lower():
            kind = "yes_no"
        return [{"question": question, "answer": answer, "kind": kind}]

    return Adapter(convert, ("problem", "solution"), image=("image", "images"))


def geometry3k() -> Adapter:
    """Geometry3K in free form (NoisyRollout): ``images``, ``problem``, ``answer``.

    ``<image>`` in the problem is removed: images are put in front of the question.
    """

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        answer = as_text(row, "answer")
        return [{"question": as_text(row, "problem"), "answer": answer, "kind": "math"}]

    return Adapter(convert, ("problem", "answer"))


def mmk12() -> Adapter:
    """MMK12: NoisyRollout's free-form copy (as Geometry3K) or the original's columns.

    The original has ``image``, ``question``, ``answer`` and ``subject``, and letters as answers
    where the question lists options.
    """

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        question = as_text(row, "problem" if row.get("problem") is not None else "question")
        kind = "multiple_choice" if options_of(question) else "math"
        return [{"question": question, "answer": as_text(row, "answer"), "kind": kind}]

    return Adapter(convert, ("answer",))


def geo170k() -> Adapter:
    """The Geo170K / GeoQA test of Hint-GRPO: ``image_path``, ``question``, ``ground_truth``."""

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        answer = as_text(row, "ground_truth")
        return [{"question": as_text(row, "question"), "answer": answer, "kind": "math"}]

    return Adapter(convert, ("question", "ground_truth"), image=("image_path", "image"))


def llava_cot(
    subsets: Sequence[str] | None = ("geoqa+", "CLEVR_v1.0"),
    fill_in: bool = True,
    numeric_only: bool = True,
    keep_summary: bool = False,
) -> Adapter:
    """LLaVA-CoT-100k as Hint-GRPO uses it: ``image``, ``conversations`` of human and model turns.

    The model's turns hold ``<SUMMARY>``, ``<CAPTION>``, ``<REASONING>`` and ``<CONCLUSION>``; the
    conclusion becomes the answer, the reasoning the reference (with ``keep_summary`` after the
    summary). ``subsets``: first folders of the image path that are kept, null keeps all.
    ``fill_in``: multiple choice loses its options, and its answer becomes the option's text.
    ``numeric_only``: answers without a number or a formula are left out.

    Deliberate deviations from the released code: a conclusion is a letter only if it reads as one
    ("A = 5" does not), and rows without the tags are left out instead of ending the run. Its filter
    by prompt length is not reproduced; it belongs to one tokenizer.
    """

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        if subsets is not None and _folder_of(row) not in subsets:
            return []
        turns = row.get("conversations")
        if not isinstance(turns, list):
            raise RowProblem(f"column 'conversations' is {turns!r:.80}, expected a list of turns")
        pairs = zip(turns[0::2], turns[1::2], strict=False)
        found = [_llava_pair(as_text(a, "value"), as_text(b, "value"), fill_in) for a, b in pairs]
        kept = [fields for fields in found if fields and _keep(fields, numeric_only)]
        for fields in kept:
            summary = fields.pop("summary")
            if keep_summary and summary:
                fields["reasoning"] = f"{summary}\n{fields['reasoning']}"
        return kept

    return Adapter(convert, ("conversations", "image"), image=("image",), image_in_row=True)


def _folder_of(row: Mapping[str, Any]) -> str:
    return as_text(row, "image").removeprefix("./").split("/")[0]


def _llava_pair(question: str, reply: str, fill_in: bool) -> Fields | None:
    """One question and its staged reply; None if a stage or the chosen option is missing."""
    stages = {tag: _stage(reply, tag) for tag in ("SUMMARY", "REASONING", "CONCLUSION")}
    answer, reasoning = stages["CONCLUSION"], stages["REASONING"]
    if not answer or not reasoning:
        return None
    stem, options = split_options(question)
    letter = chosen_letter(answer) if options else None
    if fill_in and options:
        question = stem
        if letter is not None:
            answer = options.get(letter, "")
    kind = "multiple_choice" if letter and not fill_in else "math"
    fields = {"question": question, "answer": answer, "reasoning": reasoning, "kind": kind}
    return {**fields, "summary": stages["SUMMARY"]}


def _stage(reply: str, tag: str) -> str:
    match = re.search(rf"<{tag}>(.*?)</{tag}>", reply, re.DOTALL)
    return match.group(1).strip() if match else ""


def _keep(fields: Fields, numeric_only: bool) -> bool:
    """Whether a question and answer are left, and the answer has a number or a formula if asked."""
    if not fields["question"] or not fields["answer"]:
        return False
    return not numeric_only or bool(re.search(r"\d|\\[a-zA-Z]|\$", fields["answer"]))


ADAPTERS: dict[str, Callable[..., Adapter]] = {
    "geo170k": geo170k,
    "geometry3k": geometry3k,
    "llava_cot": llava_cot,
    "mm_rlhf": mm_rlhf,
    "mmk12": mmk12,
    "nlvr": nlvr,
}
"""Name -> function of the adapter's options."""


def make_adapter(name: str, options: Mapping[str, Any]) -> Adapter:
    """Build the adapter ``name``; raises ``UserError`` for an option that it does not have."""
    known = list(inspect.signature(ADAPTERS[name]).parameters)
    for option in options:
        require(option in known, f"data.options.{option}: adapter {name!r} has the options {known}")
    return ADAPTERS[name](**options)
