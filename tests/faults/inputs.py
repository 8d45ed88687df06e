"""Wrong input, counted: recipes, command lines, rows, rewards.

Whether a message is clear is decided here and by nobody's eye: exit code 1 or 2; one line of
standard error beginning with ``error: `` or, of a run that had begun, ``stopped: `` (or argparse's,
behind its usage), the last one, of at most ``LONGEST`` signs, without signs that steer a terminal;
with the words that the tables ask for; in time; and nothing left where a run would have been.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.check.wrong_settings import IN_A_STEP, OTHERS, TRAINING, words_of
from tests.faults.children import Ended, run
from tests.faults.kills import undisturbed
from tests.faults.tiny_run import KINDS, setup
from tests.faults.trial import Outcome, Part, Trial
from tests.faults.wrong_commands import COMMANDS
from tests.faults.wrong_recipes import BYTES, RECIPES
from tests.faults.wrong_rewards import FILES, RETURNS
from tests.faults.wrong_rows import GOOD, LINES, PICTURES, png
from tests.runs.published import PUBLISHED
from tests.test_yaml_text import WRONG as YAML

LONGEST = 800
MOST_SECONDS = 60.0
"""For a command that has nothing to train; the machine may be busy."""

BEGINS = re.compile(r"(noisygrpo[ \w]*: )?error: |stopped: ")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def judge(ended: Ended, words: str) -> Outcome:
    """The rule."""
    if ended.code is None:
        return Outcome("hang", f"after {ended.seconds:.0f} s")
    if "Traceback" in ended.err:
        return Outcome("traceback", ended.last_lines)
    if ended.code == 0:
        return Outcome("silent", ended.last_lines)
    lines = [line for line in ended.err.splitlines() if line.strip()]
    errors = [n for n, line in enumerate(lines) if BEGINS.match(line)]
    if ended.code not in (1, 2) or not lines or errors != [len(lines) - 1]:
        return Outcome("unclear", f"exit code {ended.code}: {ended.last_lines}")
    said = lines[-1]
    if missing := [word for word in words.split() if word.strip("'") not in said]:
        return Outcome("unclear", f"says nothing of {' '.join(missing)}: {said[:300]}")
    if len(said) > LONGEST or CONTROL.search(said):
        return Outcome("unclear", f"{len(said)} signs, or signs that steer: {said[:200]!r}")
    return Outcome("clear", said[:160])


def finished(shared: Path) -> Path:
    """The folder of a run that is done."""
    undisturbed(KINDS["measured"], shared)
    return shared / "undisturbed-measured" / "run"


def command(text: str, words: str, shared: Path, folder: Path) -> Outcome:
    """A command line in a folder of its own."""
    here, picture, file = folder / "here", folder / "a.png", folder / "a.txt"
    here.mkdir()
    picture.write_bytes(png())
    file.write_text("only text\n")
    places = {"RECIPE": setup(shared), "HERE": here, "PICTURE": picture, "TEXT": file}
    if "RUN" in text:
        places["RUN"] = finished(shared)
    for name, path in places.items():
        text, words = (re.sub(rf"\b{name}\b", str(path), one) for one in (text, words))
    ended = run(text.split(), folder / "log", seconds=MOST_SECONDS, inside=folder)
    outcome = judge(ended, words)
    left = [path.name for path in here.iterdir()]
    if outcome.kind == "clear" and left:
        return Outcome("unclear", f"left behind: {', '.join(left)}")
    return outcome


def setting(given: list[str], words: str, shared: Path, folder: Path) -> Outcome:
    """A wrong field on the command line of ``check``."""
    line = ["check", str(setup(shared)), "--no-rollout", *given]
    return judge(run(line, folder / "log", seconds=MOST_SECONDS, inside=folder), words)


def recipe(data: bytes, words: str, shared: Path, folder: Path) -> Outcome:
    """A wrong recipe as a file."""
    setup(shared)
    text = data.replace(b"MODEL", str(shared / "model").encode())
    text = text.replace(b"ROWS", str(shared / "rows.jsonl").encode())
    (folder / "mine.yaml").write_bytes(text)
    line = ["check", str(folder / "mine.yaml"), "--no-rollout"]
    ended = run(line, folder / "log", seconds=MOST_SECONDS, inside=folder)
    return judge(ended, words.replace("recipe", "mine.yaml"))


def rows(source: Path, options: list[str], words: str, shared: Path, folder: Path) -> Outcome:
    """Rows of which one is wrong."""
    line = ["check", str(setup(shared)), "--no-rollout", "--no-step", "--data.source", str(source)]
    ended = run([*line, *options], folder / "log", seconds=MOST_SECONDS, inside=folder)
    outcome = judge(ended, words)
    if outcome.kind == "clear" and not re.search(r"\b(line|row|item) [123]\b", ended.err):
        return Outcome("unclear", f"no row is named: {outcome.note}")
    return outcome


def line_of_three(change: bytes | dict, words: str, shared: Path, folder: Path) -> Outcome:
    """Three rows of json lines; the second is changed."""
    (folder / "folder").mkdir()
    (folder / "1.png").write_bytes(png())
    good = json.dumps(GOOD).encode()
    if isinstance(change, dict):
        changed = {key: v for key, v in {**GOOD, **change}.items() if v is not None}
        change = json.dumps(changed).encode()
    (folder / "mine.jsonl").write_bytes(b"\n".join([good, change, good, b""]))
    return rows(folder / "mine.jsonl", [], f"mine.jsonl {words}", shared, folder)


def picture(write: Callable, data: bytes, shared: Path, folder: Path) -> Outcome:  # type: ignore[type-arg]
    """The layout of another tool; the picture of the second row is none."""
    place = folder / "data"
    place.mkdir()
    for number in range(3):
        (place / f"{number}.png").write_bytes(data if number == 1 else png())
    source, options = write(place)
    words = [word for pair in options.items() for word in pair]
    return rows(source, words, "image", shared, folder)


def reward(text: str, words: str, shared: Path, folder: Path) -> Outcome:
    """A step with a reward that goes wrong."""
    (folder / "reward.py").write_text(text)
    line = [*KINDS["full"].words(shared, folder / "run"), "--training.max_steps=1"]
    line += [f"--rewards=[{folder / 'reward.py'}:bad]", "--training.reward_time_limit=3"]
    ended = run(line, folder / "log", seconds=4 * MOST_SECONDS, inside=folder)
    outcome = judge(ended, words)
    counted = re.search(r"step 1\b.*row 'rows-\d'", ended.err) and "'bad'" in ended.err
    if outcome.kind == "silent" and counted:
        return Outcome("counted", ended.last_lines)
    return outcome


def trials(shared: Path) -> list[Trial]:
    """All inputs."""
    found: list[tuple[str, Callable[[Path], Outcome]]] = []

    def add(title: str, function: Callable[..., Outcome], *given: object) -> None:
        found.append((title, lambda folder: function(*given, shared, folder)))

    for text, words in COMMANDS.items():
        add(f"command: noisygrpo {text}", command, text, words)
    for number, (text, words) in enumerate(RECIPES.items()):
        add(f"recipe {number}: {text[-50:]!r}", recipe, text.encode(), words)
    for title, (data, words) in BYTES.items():
        add(f"recipe: {title}", recipe, data, words)
    for title, (text, _) in YAML.items():
        add(f"YAML: {title}", recipe, text.encode("utf-8", "surrogatepass"), "recipe")
    for title, (change, words) in LINES.items():
        add(f"row: {title}", line_of_three, change, words)
    for tool, write in PUBLISHED.items():
        for title, data in PICTURES.items():
            add(f"picture: {title}, {tool}", picture, write, data)
    for body, words in RETURNS.items():
        add(f"reward: {body}", reward, f"def bad(completions, **columns):\n    {body}\n", words)
    for text, words in FILES.items():
        add(f"reward file: {text!r}", reward, text, words)
    return [Trial(title, function) for title, function in found] + settings(shared)


def settings(shared: Path) -> list[Trial]:
    """The fields that ``make test`` has all of, in a test of their own."""
    found = [
        (words_of(field.strip(), value), words)
        for field, pairs in TRAINING.items()
        for value, words in pairs
    ]
    found += [
        (list(given), words) for table in (OTHERS, IN_A_STEP) for given, words in table.items()
    ]
    return [
        Trial(
            f"setting: {' '.join(given)[:80]} ({number})",
            lambda folder, g=given, w=words: setting(g, w, shared, folder),
        )
        for number, (given, words) in enumerate(found)
    ]


PART = Part(
    "inputs",
    "wrong recipes, command lines, rows and rewards, told clearly",
    trials,
    ("clear", "counted"),
    every=16,
)
