"""A model made to go on with its own turn, of which the beginning is written for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from understanding import Meaning, looking, opening

from noisygrpo.evaluation.generate import Generation, generate_batch
from noisygrpo.playground.scene import BOXES, COLOURS, SHAPES, SIZES, Scene
from noisygrpo.playground.splits import PROMPT

_ANSWER = re.compile(r"<answer>\s*(true|false)", re.IGNORECASE)
_KINDS = {**dict.fromkeys(COLOURS, "colour"), **dict.fromkeys(SHAPES, "shape")}
_KINDS |= dict.fromkeys(SIZES, "size") | dict.fromkeys(("and", "gives"), "end")
KINDS = (*dict.fromkeys(_KINDS.values()), "place")
_ASKED = re.compile(r", asked ([^.]+)\.")
_LONGEST_STEP, _LONGEST = 48, 256


@dataclass(frozen=True)
class Row:
    """A statement about a picture, with what is in it."""

    statement: str
    label: str
    scene: Scene
    image: Image.Image
    cluster: str


@dataclass
class Reader:
    """A model that goes on with the beginning of its own turn."""

    model: Any
    processor: Any
    wrap: str = "{}"
    batch: int = 16

    def prompt(self, statement: str) -> list[dict[str, str]]:
        """The conversation up to the model's turn."""
        question = PROMPT.format(question=self.wrap.replace("{}", statement))
        return [{"role": "user", "content": question}]

    def chat(self, statement: str) -> str:
        """The same as text, the picture first."""
        content = [
            {"type": "image"},
            {"type": "text", "text": self.prompt(statement)[0]["content"]},
        ]
        turns = [{"role": "user", "content": content}]
        return self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)

    @torch.no_grad()
    def go_on(
        self, rows: Sequence[Row], begun: Sequence[str], stop: str, most: int = _LONGEST_STEP
    ) -> list[str]:
        """What the model writes after `begun`, greedily, up to and with `stop` (or its end)."""
        written: list[str] = []
        for start in range(0, len(rows), self.batch):
            part = slice(start, start + self.batch)
            inputs = self.processor(
                text=[
                    self.chat(r.statement) + b for r, b in zip(rows[part], begun[part], strict=True)
                ],
                images=[[row.image] for row in rows[part]],
                return_tensors="pt",
                padding=True,
                padding_side="left",
            ).to(self.model.device)
            output = self.model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=most,
                stop_strings=[stop],
                tokenizer=self.processor.tokenizer,
                pad_token_id=self.processor.tokenizer.pad_token_id,
            )
            new = output[:, inputs["input_ids"].shape[1] :]
            texts = self.processor.tokenizer.batch_decode(new, skip_special_tokens=True)
            written += [
                text[: text.find(stop) + len(stop)] if stop in text else text for text in texts
            ]
        return written

    def first_steps(self, rows: Sequence[Row]) -> list[str]:
        """How the model understands each statement, in its own words."""
        written = self.go_on(rows, [opening("").removesuffix(" .")] * len(rows), ".")
        return [text.strip().removesuffix(".") for text in written]

    def answers_given(
        self, rows: Sequence[Row], meant: Sequence[Meaning], asked: bool = False
    ) -> tuple[list[str], list[str]]:
        """Answers where the first step and the contents of every box are written for it.

        With `asked`, what the count is compared with is written too. Returns the answers, and what
        the model itself said was asked (empty where it did not say).
        """
        begun = [opening(one.step) for one in meant]
        for box in range(len(BOXES)):
            begun = [
                text + looking(row.scene, box, one.step)
                for text, row, one in zip(begun, rows, meant, strict=True)
            ]
            begun = _joined(begun, self.go_on(rows, begun, "."))
        ends = self.go_on(rows, begun, "</answer>")
        said = [found[1] if (found := _ASKED.search(text)) else "" for text in ends]
        if asked:
            for place, (one, own) in enumerate(zip(meant, said, strict=True)):
                if one.asked and own:  # its own last step up to there, then what is asked
                    ends[place] = ends[place].partition(", asked ")[0] + f", asked {one.asked}."
            mended = [i for i, text in enumerate(ends) if "</answer>" not in text]
            turns = [begun[i] + ends[i] for i in mended]
            more = self.go_on([rows[i] for i in mended], turns, "</answer>")
            for i, text in zip(mended, more, strict=True):
                ends[i] += text
        return [answer(text) for text in ends], said

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """Answers with nothing given, as an evaluation asks for them."""
        settings, found = Generation(batch_size=self.batch, max_new_tokens=_LONGEST), []
        for start in range(0, len(rows), self.batch):
            asked = [
                {"prompt": self.prompt(r.statement), "images": [r.image], "example_id": str(i)}
                for i, r in enumerate(rows[start : start + self.batch])
            ]
            done = generate_batch(self.model, self.processor, asked, settings)
            found += [answer(one.text) for one in done]
        return found

    @torch.no_grad()
    def words_read(self, row: Row, step: str, image: Image.Image) -> list[tuple[str, bool]]:
        """Every word of the boxes' contents: its kind, and whether the model would say it.

        Of `KINDS`, `end` says that an item follows, or none; `place` is all that is said of where
        an item is. All words before a word are the right ones.
        """
        text, spans = opening(step), []
        for box in range(len(BOXES)):
            line = looking(row.scene, box, step)
            after = line.index(BOXES[box]) + len(BOXES[box])
            for word in re.finditer(r"\S+", line[after:]):
                spans.append((len(text) + after + word.start(), word[0]))
            text += line
        offsets, right = self._likeliest(self.chat(row.statement), text, image)
        return [
            (
                _KINDS.get(word, "place"),
                all(
                    ok
                    for ok, (a, b) in zip(right, offsets, strict=True)
                    if a < start + len(word) and b > start
                ),
            )
            for start, word in spans
        ]

    def _likeliest(
        self, chat: str, turn: str, image: Image.Image
    ) -> tuple[list[tuple[int, int]], list[bool]]:
        """Of every token of a turn: its characters, and whether the model likes it best there."""
        inputs = self.processor(text=[chat], images=[[image]], return_tensors="pt")
        tokens = self.processor.tokenizer(
            turn, add_special_tokens=False, return_offsets_mapping=True
        )
        ids = torch.tensor([tokens["input_ids"]])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], ids], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if "mm_token_type_ids" in inputs:
            types = inputs["mm_token_type_ids"]
            inputs["mm_token_type_ids"] = torch.cat([types, types.new_zeros(ids.shape)], 1)
        logits = self.model(**inputs.to(self.model.device)).logits
        likeliest = logits[0, -ids.shape[1] - 1 : -1].argmax(-1).cpu()
        return tokens["offset_mapping"], (likeliest == ids[0]).tolist()


def _joined(texts: Sequence[str], more: Sequence[str]) -> list[str]:
    return [a + b for a, b in zip(texts, more, strict=True)]


def answer(text: str) -> str:
    """`true` or `false` as the text ends, or nothing."""
    found = _ANSWER.findall(text)
    return found[-1].lower() if found else ""
