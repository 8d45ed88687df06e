"""Wrong recipes as files: text of the file to the words of the message.

``MODEL`` and ``ROWS`` are a model and rows that work.
"""

GOOD = "model: MODEL\nmethod: grpo\ndata: {source: ROWS}\nrewards: [accuracy]\n"

RECIPES = {
    "": "recipe empty",
    "# only a comment\n": "recipe empty",
    "null\n": "recipe empty",
    "- a\n- b\n": "recipe mapping",
    "just text\n": "recipe mapping",
    "3\n": "recipe mapping",
    "model: MODEL\n": "method",
    GOOD.replace("rewards: [accuracy]\n", ""): "rewards",
    GOOD.replace("data: {source: ROWS}\n", ""): "data",
    GOOD + "trainer: {seed: 1}\n": "trainer training",
    GOOD + "1: 2\n": "1",
    GOOD + "training: [seed, 1]\n": "training mapping",
    GOOD + "training: {seed: [1, 2]}\n": "training.seed whole number",
    GOOD + "training: {seed: {a: 1}}\n": "training.seed whole number",
    GOOD + "training: {seed: 2024-01-01}\n": "training.seed whole number",
    GOOD + "training: {learning_rate: true}\n": "training.learning_rate True number",
    GOOD + "training: {max_steps: 1.5}\n": "training.max_steps 1.5 whole number",
    GOOD + "training: {bf16: 'yes, please'}\n": "training.bf16 true or false",
    GOOD + "training: {Learning_Rate: 1.0}\n": "training.Learning_Rate learning_rate",
    GOOD + "training: {'learning rate': 1.0}\n": "learning rate learning_rate",
    GOOD + "training: {output_dir: 5}\n": "training.output_dir 5",
    GOOD + "evaluation: {splits: test}\n": "evaluation.splits list",
    GOOD + "evaluation: true\n": "evaluation mapping",
    GOOD.replace("[accuracy]", "[accuracy, accuracy]"): "rewards accuracy",
    GOOD.replace("[accuracy]", "[{accuracy: 1}]"): "rewards[0] name",
    GOOD.replace("[accuracy]", "[[accuracy]]"): "rewards accuracy list",
    GOOD.replace("[accuracy]", "[null]"): "rewards None list",
    GOOD.replace("[accuracy]", "[{name: accuracy, weight: heavy}]"): "rewards[0] weight heavy",
    GOOD.replace("[accuracy]", "[{name: accuracy, tolerance: abc}]"): "tolerance 'abc' number",
    GOOD.replace("[accuracy]", "[{name: accuracy, tolerance: -1}]"): "tolerance -1",
    GOOD.replace("[accuracy]", "[{name: format, style: 5}]"): "style 5 text",
    GOOD.replace("[accuracy]", "['x.py:']"): "rewards x.py:",
    GOOD.replace("[accuracy]", "[':f']"): "rewards[0] :f",
    GOOD.replace("{source: ROWS}", "{source: [ROWS]}"): "data.source text",
    GOOD.replace("{source: ROWS}", "{source: ''}"): "data.source not given",
    GOOD.replace("{source: ROWS}", "{source: ROWS, columns: [a]}"): "data.columns mapping",
    GOOD.replace("{source: ROWS}", "{source: ROWS, columns: {image: 5}}"): "data.columns 5 text",
    GOOD.replace("{source: ROWS}", "{source: ROWS, prompt: 5}"): "data.prompt 5",
    GOOD.replace("{source: ROWS}", "{source: ROWS, holdout: 2}"): "data.holdout 2",
    GOOD.replace("{source: ROWS}", "{source: ROWS, shuffle: maybe}"): "data.shuffle true or false",
    GOOD.replace("{source: ROWS}", "{source: ROWS, adapter: x.py}"): "data.adapter x.py",
    GOOD.replace("model: MODEL", "model: [MODEL]"): "model mapping",
    GOOD.replace("model: MODEL", "model: {path: MODEL, dtype: float31}"): "model.dtype float31",
    GOOD.replace("model: MODEL", "model: {path: MODEL, lora: true}"): "model.lora mapping",
    GOOD.replace("model: MODEL", "model: {path: MODEL, trust_remote_code: maybe}"):
        "model.trust_remote_code true or false",
    GOOD.replace("method: grpo", "method: [grpo]"): "method grpo name",
    GOOD.replace("method: grpo", "method: true"): "method True name",
}  # fmt: skip

BYTES = {
    "a byte order of another kind": (GOOD.encode("utf-16-le"), "YAML"),
    "Latin letters": (GOOD.encode() + b"# \xe9\n", "UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "recipe"),
    "a null": (GOOD.encode() + b"training: {run_name: 'a\x00b'}\n", "recipe"),
    "windows line ends and a tab": (GOOD.replace("\n", "\r\n").encode() + b"training:\r\n\tseed: 1",
                                    "YAML line"),
}  # fmt: skip
