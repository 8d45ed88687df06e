"""Folders of which something is broken or missing: each gives one line that names it."""

import pytest

from models.folder_changes import edit, line
from noisygrpo.models.loading import load_any_processor, load_model
from noisygrpo.models.spec import ModelSpec


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("no preprocessor_config.json", "preprocessor_config.json"),
        ("broken preprocessor_config.json", "preprocessor_config.json is not JSON"),
        ("empty preprocessor_config.json", "preprocessor_config.json is not JSON"),
        ("a list as preprocessor_config.json", "preprocessor_config.json holds no JSON object"),
        ("a byte order mark", "preprocessor_config.json is not JSON"),
        ("broken tokenizer_config.json", "tokenizer_config.json is not JSON"),
        ("broken tokenizer.json", "cannot be loaded"),
        (
            "no tokenizer files",
            "holds no vocabulary, none of merges.txt, tokenizer.json, vocab.json",
        ),
        ("no chat template", "has no chat template"),
        ("broken chat_template.json", "chat_template.json"),
        ("chat_template.json without its key", "chat_template.json"),
        ("binary preprocessor_config.json", "preprocessor_config.json is not JSON"),
        ("a size that is no number", "cannot be loaded"),
        ("a class that draws nothing", "has no image processor"),
        ("code of its own", "trust_remote_code"),
    ],
)
def test_a_broken_processor_gives_one_line(folder, change, expected):
    images = folder / "preprocessor_config.json"
    if change == "no preprocessor_config.json":
        images.unlink()
    elif change == "broken preprocessor_config.json":
        images.write_text(images.read_text()[:40])
    elif change == "empty preprocessor_config.json":
        images.write_text("")
    elif change == "a list as preprocessor_config.json":
        images.write_text("[1]")
    elif change == "a byte order mark":
        images.write_bytes(b"\xef\xbb\xbf" + images.read_bytes())
    elif change == "broken tokenizer_config.json":
        (folder / "tokenizer_config.json").write_text("{'a': 1}")
    elif change == "broken tokenizer.json":
        for name in ("vocab.json", "merges.txt"):
            (folder / name).unlink()
        (folder / "tokenizer.json").write_text('{"version": "1.0"')
    elif change == "no tokenizer files":
        for name in ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
    elif change == "no chat template":
        (folder / "chat_template.json").unlink()
    elif change == "broken chat_template.json":
        (folder / "chat_template.json").write_text("{")
    elif change == "chat_template.json without its key":
        (folder / "chat_template.json").write_text('{"template": "x"}')
    elif change == "binary preprocessor_config.json":
        images.write_bytes(bytes(range(256)))
    elif change == "a size that is no number":
        edit(images, min_pixels=None, max_pixels=None, size="large")
    elif change == "a class that draws nothing":
        edit(images, processor_class="Wav2Vec2Processor", image_processor_type=None)
        edit(folder / "config.json", model_type="bert", architectures=["BertModel"])
    elif change == "code of its own":
        code = {"AutoProcessor": "processing_own.OwnProcessor"}
        edit(images, processor_class="OwnProcessor", auto_map=code)
        edit(folder / "config.json", model_type="own")
        (folder / "processing_own.py").write_text("raise SystemExit('ran')")
    said = line(load_any_processor, ModelSpec(str(folder)))
    assert expected in said and "model.path" in said


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("broken config.json", "config.json"),
        ("empty config.json", "config.json"),
        ("a model type that nobody knows", "own"),
        ("no model type", "model_type"),
        ("a text of other sizes", "cannot be loaded"),
        ("a missing shard", "model-00002-of-00002.safetensors"),
        ("a truncated shard", "cannot be loaded"),
        ("a pickle alone", "pytorch_model.bin is not read (a pickle can run code)"),
        ("GGUF alone", "model-Q4_K_M.gguf is not read (GGUF is for inference)"),
        ("GGUF without config.json", "no config.json: it is not a saved model; model-Q4_K_M.gguf"),
        ("no weights", "holds no weights (*.safetensors)"),
        ("a broken index", "cannot be loaded"),
        ("code of its own", "trust_remote_code"),
        ("a text model", "cannot be loaded"),
        ("a hidden size that is a word", "cannot be loaded"),
    ],
)
def test_broken_weights_and_configurations_give_one_line(folder, change, expected):
    config = folder / "config.json"
    last = folder / "model-00002-of-00002.safetensors"
    if change == "broken config.json":
        config.write_text(config.read_text()[:60])
    elif change == "empty config.json":
        config.write_text("")
    elif change == "a model type that nobody knows":
        edit(config, model_type="own")
    elif change == "no model type":
        edit(config, model_type=None)
    elif change == "a text of other sizes":
        edit(config, intermediate_size=64)
    elif change == "a missing shard":
        last.unlink()
    elif change == "a truncated shard":
        last.write_bytes(last.read_bytes()[:1000])
    elif change == "a pickle alone":
        for path in folder.glob("model*"):
            path.unlink()
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    elif change in ("GGUF alone", "GGUF without config.json", "no weights"):
        for path in folder.glob("model*"):
            path.unlink()
        if change != "no weights":
            (folder / "model-Q4_K_M.gguf").write_bytes(b"GGUF")
        if change == "GGUF without config.json":
            config.unlink()
    elif change == "a broken index":
        (folder / "model.safetensors.index.json").write_text("{")
    elif change == "code of its own":
        edit(config, model_type="own", auto_map={"AutoConfig": "own.OwnConfig"})
        (folder / "own.py").write_text("raise SystemExit('ran')")
    elif change == "a text model":
        edit(config, model_type="qwen2", architectures=["Qwen2ForCausalLM"])
    elif change == "a hidden size that is a word":
        edit(config, hidden_size="large")
    assert expected in line(load_model, ModelSpec(str(folder)))


@pytest.mark.parametrize(
    "names", [["model-00002-of-00002.safetensors"], ["config.json", "tokenizer.json"]]
)
@pytest.mark.parametrize("load", [load_model, load_any_processor])
def test_pointers_of_git_lfs_are_told_from_files(folder, names, load):
    for name in names:
        (folder / name).write_text(
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3982604104\n"
        )
    said = line(load, ModelSpec(str(folder)))
    assert f"holds pointers of Git LFS in the place of {', '.join(names)};" in said
    assert "model.path" in said and "git lfs pull" in said
