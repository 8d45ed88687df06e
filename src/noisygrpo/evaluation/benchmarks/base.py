"""What a benchmark is: where its data lies, its columns, its prompt, its scorer, its metrics, its
sources.

Each benchmark is one small file beside this one. Data comes from a hub id or, with ``data``, from a
local copy (parquet, json, jsonl, a folder); nothing is downloaded unless the hub id is used. Rows
that cannot be converted are an error before anything is generated; an image that cannot be read is
a wrong answer with a reason (see `noisygrpo.evaluation.rows`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from noisygrpo.data.cells import Root, resolve_path
from noisygrpo.data.example import make_example
from noisygrpo.data.images import ImageProblem
from noisygrpo.data.prompts import resolve_prompt, resolve_system
from noisygrpo.data.raw import RawRows
from noisygrpo.data.readers import FILE_KINDS, read_rows
from noisygrpo.data.rows import RowProblem, strip_placeholders
from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.benchmarks.released import RELEASED
from noisygrpo.evaluation.evaluate import Judge, Metrics
from noisygrpo.evaluation.judge_api import JudgeEndpoint
from noisygrpo.evaluation.samples import Sample

OFFICIAL = "official"
"""The name of a benchmark's own, pinned prompt."""


@dataclass(frozen=True)
class Item:
    """One row of a benchmark, converted."""

    question: str
    """The question as the model should see it, options included, without instructions."""
    answer: str
    """The target as the benchmark's scorer needs it."""
    example_id: str = ""
    """Default: the benchmark's name and the row's number."""
    cluster: str = ""
    """What rows have in common that belong together; the row alone if empty."""
    kind: str = ""
    """Category of the official breakdown."""
    prompt: str = ""
    """The official text with instructions, where it is not the benchmark's template."""
    asked: str = ""
    """The question as NoisyRollout words it, where it is neither ``prompt`` nor ``question``."""
    meta: Mapping[str, Any] | None = None
    """What scorer and metrics need beyond this; kept with the sample."""


@dataclass(frozen=True)
class LoadOptions:
    """What the user may choose about a benchmark's rows; empty means the benchmark's own."""

    data: str = ""
    """A local copy: file or folder."""
    split: str = ""
    limit: int | None = None
    """At most so many rows, from the first on."""
    prompt: str = OFFICIAL
    """``official``, a name in `RELEASED`, one of our prompts, or a text with ``{question}``."""
    system: str = ""
    """Name of a system turn, or its text."""
    image_root: str = ""
    """Folder that image paths are relative to, and may not leave; default: the benchmark's."""


JudgeMore = Callable[[Sequence[Sample], JudgeEndpoint], dict[str, Any]]
"""All samples and a second judge -> what goes into ``result.json`` under ``judge`` as well"""


class LoadRows(Protocol):
    """Gives a benchmark's rows."""

    def __call__(self, benchmark: "Benchmark", options: LoadOptions) -> Any:
        """Rows in the example format, with ``meta``."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark; the fields are what its file has to say."""

    name: str
    title: str
    source: str
    """Paper and official code that the definitions follow."""
    licence: str
    rows: int
    """Official number of rows."""
    judge: Judge
    convert: Callable[[Mapping[str, Any]], Item] | None = None
    columns: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    """Names of the column of images; the first that is there counts. None: text only."""
    base64: bool = False
    """Whether that column holds base64 text."""
    data: str = ""
    """Hub id; empty where the data has to be given."""
    config: str = ""
    split: str = "test"
    prompt: str = "{question}"
    """Official template."""
    max_new_tokens: int = 2048
    metrics: Metrics | None = None
    metric: str = "accuracy"
    """What the official number is."""
    headline: tuple[str, ...] = ()
    """Names in ``metrics`` that a table of benchmarks shows; ``a/b`` is b inside a."""
    note: str = ""
    """What to know before comparing numbers."""
    load: LoadRows | None = None
    """Replaces `load_table`."""
    folders: tuple[str, ...] = ()
    """Names that its folder has in an archive of several benchmarks, besides its own."""
    layout: Callable[[Path, str], RawRows | None] | None = None
    """(file or folder, image root) -> rows of a layout that is no table; None where it is none."""
    pictures_alone: bool = False
    """Whether its folder may hold pictures alone: then the rows, with theirs, are the hub's."""
    bind: Callable[["Benchmark", Path], "Benchmark"] | None = None
    """Completes judge and metrics from files in the data folder."""
    judge_more: JudgeMore | None = None
    """What the second judge is asked beyond right and wrong."""
    finish: Callable[[Path], Any] | None = None
    """Called with the folder of a complete evaluation, e.g. to bring two of them together."""


class BenchmarkRows(Sequence[dict[str, Any]]):
    """Examples with ``meta``; image cells are looked up when a row is accessed."""

    def __init__(
        self, examples: Sequence[dict[str, Any]], cells: Callable[[int], list[Any]]
    ) -> None:
        self._examples, self._cells = examples, cells

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return {**self._examples[index], "images": self._cells(index)}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))


def load_table(benchmark: Benchmark, options: LoadOptions) -> BenchmarkRows:
    """Rows of a benchmark from its hub id or a local copy.

    Raises ``UserError`` for missing data or columns, and for a row that cannot be converted.
    """
    raw = _read(benchmark, options)
    image = next((name for name in benchmark.image if name in raw.columns), None)
    wanted = (*benchmark.columns, *(benchmark.image[:1] if image is None else ()))
    missing = [column for column in wanted if column not in raw.columns]
    require(
        not missing,
        f"{benchmark.name}: {raw.label} has no column {', '.join(map(repr, missing))}; "
        f"it has {', '.join(raw.columns)}",
    )
    count = len(raw) if options.limit is None else min(len(raw), options.limit)
    skip = [] if image is None or image in benchmark.columns else [image]
    examples = [
        _example(benchmark, options, row, index, raw.where(index))
        for index, row in raw.iterate(range(count), skip=skip)
    ]
    return BenchmarkRows(examples, lambda index: _cells(benchmark, raw, image, index))


def located(benchmark: Benchmark, data: str) -> str:
    """Where ``data`` has the benchmark: itself, or the folder or file in it that is called so.

    So one folder can hold several benchmarks, as NoisyRollout's ``eval_data.zip`` does.
    """
    place = Path(data).expanduser()
    if not data or not place.is_dir():
        return data
    names = (benchmark.name, *benchmark.folders)
    found = [place / name for name in names if (place / name).is_dir()]
    found += [place / (name + kind) for name in names for kind in FILE_KINDS]
    return next((str(path) for path in found if path.exists()), data)


def _read(benchmark: Benchmark, options: LoadOptions) -> RawRows:
    split = options.split or benchmark.split
    place = Path(options.data).expanduser()
    if options.data and not (benchmark.pictures_alone and _without_rows(place)):
        made = benchmark.layout and benchmark.layout(place, options.image_root)
        return made or read_rows(str(place), split, image_root=options.image_root)
    require(bool(benchmark.data), f"{benchmark.name}: --data is needed: {benchmark.note}")
    try:
        return read_rows(benchmark.data, split, benchmark.config, options.image_root)
    except UserError as error:
        raise UserError(f"{benchmark.name}: {error} (--data takes a local copy)") from error


def _without_rows(folder: Path) -> bool:
    """Whether a folder holds no file of rows."""
    return folder.is_dir() and not any(path.suffix in FILE_KINDS for path in folder.rglob("*"))


def rows_from_items(
    items: Sequence[Item], cells: Sequence[list[Any]], benchmark: Benchmark, options: LoadOptions
) -> BenchmarkRows:
    """Rows from converted items and their image cells, for data with a layout of its own."""
    chosen = items if options.limit is None else items[: options.limit]
    examples = [to_example(item, benchmark, options, n) for n, item in enumerate(chosen)]
    return BenchmarkRows(examples, lambda index: list(cells[index]))


def to_example(
    item: Item, benchmark: Benchmark, options: LoadOptions, index: int
) -> dict[str, Any]:
    """An item, row ``index``, as an example with ``meta``, asked officially or as chosen."""
    question = strip_placeholders(item.question)
    official = strip_placeholders(item.prompt) or benchmark.prompt.replace("{question}", question)
    text, system = official, resolve_system(options.system)
    if options.prompt in RELEASED:
        asked = item.asked or strip_placeholders(item.prompt) or question
        text, system = RELEASED[options.prompt].turns(asked, system)
    elif options.prompt != OFFICIAL:
        text = resolve_prompt(options.prompt).replace("{question}", question)
    example = make_example(
        text,
        item.answer,
        example_id=item.example_id or f"{benchmark.name}-{index}",
        cluster=item.cluster,
        kind=item.kind,
        system=system,
    )
    return {**example, "question": question, "meta": dict(item.meta or {})}


def inside(root: Path | Root, path: str) -> Any:
    """The image file ``path`` below ``root`` as a cell; a cell that says why it cannot be read."""
    try:
        return {"bytes": None, "path": resolve_path(path, root)}
    except ImageProblem as problem:
        return {"problem": str(problem)}


def _example(
    benchmark: Benchmark, options: LoadOptions, row: Mapping[str, Any], index: int, where: str
) -> dict[str, Any]:
    assert benchmark.convert is not None
    try:
        return to_example(benchmark.convert(row), benchmark, options, index)
    except (RowProblem, KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{benchmark.name}: {where} cannot be read: {error!r}") from error


def _cells(benchmark: Benchmark, raw: RawRows, image: str | None, index: int) -> list[Any]:
    if image is None:
        return []
    if isinstance(raw.table, list):
        value = raw.table[index].get(image)
    else:
        value = raw.table.column(image)[index].as_py()
    if value is None or value == "":
        return []
    return [
        _cell(item, benchmark, raw.root) for item in (value if isinstance(value, list) else [value])
    ]


def _cell(value: Any, benchmark: Benchmark, root: Root) -> Any:
    if benchmark.base64 and isinstance(value, str):
        return {"base64": value}
    if isinstance(value, Mapping) and "base64" in value:
        return value
    if isinstance(value, bytes):
        return {"bytes": value, "path": None}
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        return value
    path = value.get("path") if isinstance(value, Mapping) else value
    return inside(root, _from_inside(root, str(path)))


def _from_inside(root: Root, path: str) -> str:
    """A path without the root's own name in front: ``./Geo170K/images/0.png`` in ``Geo170K/``."""
    first, _, rest = path.removeprefix("./").partition("/")
    named_again = bool(rest) and first == root.folder.resolve().name
    return rest if named_again and not (root.folder / path).exists() else path
