"""All rows against the model's processor, held against what the processor really makes of them."""

import pytest
from PIL import Image
from tests.data.files import png, write_jsonl

from noisygrpo.data import DataSpec, load
from noisygrpo.data.fit import fit_processor, image_tokens, refused_sizes
from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import build_inputs
from tiny import tiny_qwen25vl

SIZES = ((56, 56), (100, 30), (30, 100), (200, 200), (28, 28))


@pytest.fixture(scope="module")
def processor():
    return tiny_qwen25vl()[1]


def write_pictures(folder, sizes) -> None:
    for number, size in enumerate(sizes):
        (folder / f"{number}.png").write_bytes(png(number, size))


def rows(sizes, words=lambda n: "word " * (n + 1)) -> list[dict]:
    return [{"question": words(n), "answer": "a", "image": f"{n}.png"} for n, _ in enumerate(sizes)]


def test_lengths_are_those_of_the_inputs(tmp_path, processor) -> None:
    write_pictures(tmp_path, SIZES)
    mixed = [
        *rows(SIZES),
        {"question": "a <image> b <image>", "answer": "a", "image": ["0.png", "3.png"]},
        {"question": "no picture", "answer": "a"},
    ]
    loaded = load(DataSpec(write_jsonl(tmp_path, mixed), prompt="plain"))
    true = [len(build_inputs(processor, [row])["input_ids"][0]) for row in loaded.data]
    fitted = fit_processor(loaded.data, processor, loaded.where)
    assert (len(fitted.data), fitted.longest) == (7, max(true))
    assert fitted.report == [
        f"prompts have {min(true)} to {max(true)} tokens with their images, half of them at most "
        f"{sorted(true)[3]}; the longest is {loaded.where(true.index(max(true)))}"
    ]
    limit = sorted(true)[3]
    fitted = fit_processor(loaded.data, processor, loaded.where, limit)
    kept = [row["question"] for row, n in zip(loaded.data, true, strict=True) if n <= limit]
    assert fitted.data["question"][:] == kept and fitted.longest == limit
    out = sum(n > limit for n in true)
    longest = loaded.where(true.index(max(true)))
    start = f"{out} of 7 rows are left out: their prompts are longer than data.max_prompt_tokens "
    assert fitted.report[1].startswith(f"{start}{limit}: {longest} ({max(true)})")
    with pytest.raises(UserError, match=rf"leaves out all of 7 rows .* {min(true)} tokens"):
        fit_processor(loaded.data, processor, loaded.where, 3)


def test_image_tokens_without_a_rule_are_measured(processor, monkeypatch) -> None:
    ruled = image_tokens(processor, set(SIZES))
    monkeypatch.delattr(type(processor).__mro__[1], "_get_num_multimodal_tokens")
    assert image_tokens(processor, set(SIZES)) == ruled
    assert image_tokens(processor, set()) == {}


@pytest.mark.parametrize("size", [(250, 1), (1, 250), (6030, 30), (30, 6030)])
def test_pictures_that_the_processor_refuses_are_named(tmp_path, processor, size) -> None:
    sizes = [*SIZES, size, (150, 60)]
    write_pictures(tmp_path, sizes)
    loaded = load(DataSpec(write_jsonl(tmp_path, rows(sizes))))
    message = rf"^train\.jsonl line 6: the processor refuses its image of {size[0]} x {size[1]} p"
    with pytest.raises(UserError, match=message + r".*: .*") as caught:
        fit_processor(loaded.data, processor, loaded.where)
    assert len(str(caught.value).splitlines()) == 1


def test_every_refused_size_is_found(processor) -> None:
    """Against trying them all."""
    sizes = {(w, h) for w in (1, 2, 3, 4, 29, 250, 900) for h in (1, 2, 3, 4, 28, 250, 900)}

    def refuses(size) -> bool:
        try:
            processor.image_processor([Image.new("RGB", size)], return_tensors="pt")
        except Exception:
            return True
        return False

    assert set(refused_sizes(processor.image_processor, sizes)) == set(filter(refuses, sizes))


def test_tokens_of_this_models_template_are_refused_in_text(tmp_path, processor) -> None:
    write_pictures(tmp_path, SIZES[:2])
    # Load refuses the usual ones by itself; a tokenizer may have others.
    processor.tokenizer.add_special_tokens({"pad_token": "<|endoftext|>", "eos_token": "<STOP_IT>"})
    try:
        words = ("fine", "stop <STOP_IT> here")
        loaded = load(DataSpec(write_jsonl(tmp_path, rows(SIZES[:2], words.__getitem__))))
        message = r"train\.jsonl line 2: its text contains <STOP_IT>"
        with pytest.raises(UserError, match=message):
            fit_processor(loaded.data, processor, loaded.where)
    finally:
        processor.tokenizer.eos_token = "<|im_end|>"


def test_prompts_longer_than_the_model_reads(tmp_path, processor, monkeypatch) -> None:
    write_pictures(tmp_path, SIZES)
    loaded = load(DataSpec(write_jsonl(tmp_path, rows(SIZES, lambda n: "x" * 100 * n + "?"))))
    monkeypatch.setattr(processor.tokenizer, "model_max_length", 450)
    message = r"line 4: its prompt has \d+ tokens, the model reads 450; data\.max_prompt_tokens"
    with pytest.raises(UserError, match=message):
        fit_processor(loaded.data, processor, loaded.where)
    assert len(fit_processor(loaded.data, processor, loaded.where, 450).data) == 3
