"""Wrong command lines of every command, and the words that the message must contain.

``RECIPE`` is a recipe that works, ``RUN`` the folder of a finished run, ``HERE`` an empty folder,
``PICTURE`` a picture and ``TEXT`` a file of text.
"""

COMMANDS = {
    # --- none, or one that is not there
    "": "COMMAND",
    "trian RECIPE": "trian train",
    "--help-me": "COMMAND",
    # --- train
    "train": "recipe",
    "train RECIPE --output-dir": "--output-dir",
    "train RECIPE --overwrte": "--overwrte",
    "train RECIPE --resume": "--resume checkpoint",
    "train RECIPE --output-dir HERE/x --resume --overwrite": "--resume --overwrite exclude",
    "train RECIPE --output-dir HERE/x --changed": "--changed --resume",
    "train RECIPE --output-dir RUN": "--output-dir RUN --overwrite --resume",
    "train RECIPE --output-dir TEXT": "--output-dir TEXT file",
    "train RECIPE --output-dir HERE/x --resume": "--resume HERE/x checkpoint",
    "train HERE": "HERE",
    "train TEXT": "TEXT",
    "train nowhere.yaml": "nowhere.yaml no such file",
    "train noisygrpo-7b-geoqa": "noisygrpo-7b-geoqa",
    "train RECIPE --training.max_steps": "--training.max_steps value",
    "train RECIPE --training.max_steps two": "training.max_steps 'two' whole number",
    "train RECIPE --training.": "--training.",
    "train RECIPE --.seed 3": "--.seed",
    "train RECIPE --model.path TEXT": "model.path TEXT",
    "train RECIPE --model.path HERE": "model.path HERE",
    "train RECIPE extra": "extra",
    # --- check
    "check": "recipe",
    "check RECIPE --rows -3": "--rows -3",
    "check RECIPE --rows many": "--rows many",
    "check RECIPE --plan --gpus 0": "--gpus 0",
    "check RECIPE --plan --gpu-memory -1": "--gpu-memory -1",
    "check RECIPE --plan --gpu-memory nan": "--gpu-memory nan",
    "check RECIPE --plan --measured HERE": "--measured HERE",
    "check RECIPE --plan --tokens-per-second 0": "--tokens-per-second 0",
    # --- evaluate
    "evaluate": "--model",
    "evaluate --model nowhere/at/all --benchmark mmstar": "model.path nowhere/at/all",
    "evaluate --model RUN/checkpoint --benchmark mmsta": "benchmark mmsta mmstar",
    "evaluate --model RUN/checkpoint --recipe RECIPE --rows 0 --output-dir HERE/o": "rows 0",
    "evaluate --model RUN/checkpoint --recipe playground --split tset --output-dir HERE/o":
        "split tset test",
    "evaluate --model RUN/checkpoint --recipe RECIPE --batch-size 0 --output-dir HERE/o":
        "batch 0",
    "evaluate --model RUN/checkpoint --recipe RECIPE --temperature -1 --output-dir HERE/o":
        "temperature -1",
    "evaluate --model RUN/checkpoint --recipe RECIPE --top-p 2 --temperature 1 --output-dir HERE/o":
        "top 2",
    "evaluate --model RUN/checkpoint --recipe RECIPE --noise-level 2 --output-dir HERE/o":
        "noise 2",
    "evaluate --model RUN/checkpoint --recipe RECIPE --noise-level .5 --noise-kind fog9 "
    "--output-dir HERE/o": "noise fog9 gaussian",
    "evaluate --model RUN/checkpoint --recipe RECIPE --max-new-tokens 0 --output-dir HERE/o":
        "max 0",
    "evaluate --model RUN/checkpoint --recipe RECIPE --seed -1 --output-dir HERE/o": "seed -1",
    "evaluate --model RUN/checkpoint --recipe RECIPE --max-pixels 0 --output-dir HERE/o":
        "pixels 0",
    "evaluate --model RUN/checkpoint --recipe RECIPE --judge-url x --output-dir HERE/o":
        "--judge-url --benchmark",
    "evaluate --model RUN/checkpoint --recipe nowhere.yaml --output-dir HERE/o": "nowhere.yaml",
    "evaluate --model RUN/checkpoint --recipe RECIPE --output-dir TEXT": "TEXT",
    "evaluate --model RUN/checkpoint --benchmark mmstar --recipe RECIPE": "--recipe benchmark",
    "evaluate --model RUN/checkpoint --benchmark mmstar --data nowhere": "nowhere",
    "evaluate --model RUN/checkpoint --benchmark mmstar --data TEXT --output-dir HERE/o": "TEXT",
    "evaluate --model RUN/checkpoint --benchmark mmstar --engine sglang": "engine sglang hf",
    "evaluate --model RUN/checkpoint --benchmark mmstar --robustness fog9": "fog9",
    "evaluate --model RUN/checkpoint --benchmark mmstar --levels 0 2 --robustness gaussian":
        "level 2 1",
    # --- generate
    "generate": "--question",
    "generate --question Q --samples 0": "--samples 0",
    "generate --question Q --model HERE": "HERE",
    "generate --question Q --model RUN/checkpoint --image nowhere.png": "nowhere.png",
    "generate --question Q --model RUN/checkpoint --image TEXT": "--image TEXT",
    "generate --question Q --model RUN/checkpoint --image HERE": "--image HERE",
    "generate --question Q --model RUN/checkpoint --image PICTURE --noise-level 3":
        "--noise-level 3",
    "generate --question Q --model RUN/checkpoint --image PICTURE --noise-level .5 --noise-kind z":
        "kind 'z' gaussian",
    "generate --question Q --model RUN/checkpoint --temperature -2": "temperature -2",
    "generate --question Q --model RUN/checkpoint --max-new-tokens 0": "max 0",
    "generate --question Q --model RUN/checkpoint --text-bias-scale 1": "--text-bias-scale image",
    "generate --question Q --model RUN/checkpoint --prompt Answer!": "prompt Answer! {question}",
    "generate --question Q --model RUN/checkpoint --seed -1": "seed -1",
    # --- compare
    "compare": "RUN",
    "compare RUN": "two",
    "compare nowhere RUN": "nowhere",
    "compare HERE RUN": "HERE",
    "compare a=RUN b=RUN --confidence 2": "confidence 2",
    "compare a=RUN b=RUN --confidence nan": "confidence nan",
    "compare RUN TEXT": "TEXT",
    # --- merge
    "merge": "--output-dir",
    "merge HERE --output-dir HERE/new": "HERE config.json",
    "merge RUN/checkpoint --output-dir HERE/new": "RUN/checkpoint adapter",
    "merge nowhere --output-dir HERE/new": "nowhere",
    "merge RUN/checkpoint --output-dir HERE/new --dtype int4": "--dtype int4 bfloat16",
    # --- playground, recipes, env
    "playground": "ACTION",
    "playground shw": "shw show",
    "playground show --split tset": "split tset test",
    "playground show --rows 0 --output-dir HERE/p": "0 rows 1",
    "playground show --rows 99999999999 --output-dir HERE/p": "99999999999 rows",
    "playground show --seed -1 --output-dir HERE/p": "seed -1",
    "playground show --output-dir TEXT": "--output-dir TEXT",
    "playground warmstart --see-steps -1 --output-dir HERE/w": "steps -1",
    "recipes playgruond": "playgruond playground",
    "recipes a b": "b",
    "env now": "now",
}  # fmt: skip
