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
from noisygrpo.data.readers import RawRows, read_rows
from noisygrpo.data.rows import RowProblem, strip_placeholders
from noisygrpo.errors import UserError, require
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
    example_id: str
    cluster: str = ""
    """What rows have in common that belong together; the row alone if empty."""
    kind: str = ""
    """Category of the official breakdown."""
    prompt: str = ""
    """The official text with instructions, where it is not the benchmark's template."""
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
    """``official``, the name of one of our prompts, or a text with ``{question}``."""
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
    note: str = ""
    """What to know before comparing numbers."""
    load: LoadRows | None = None
    """Replaces `load_table`."""
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
    source = options.data or benchmark.data
    require(bool(source), f"{benchmark.name}: --data is needed: {benchmark.note}")
    split = options.split or benchmark.split
    raw = _read(benchmark, options, source, split)
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
        _example(benchmark, options, row, raw.where(index))
        for index, row in raw.iterate(range(count), skip=skip)
    ]
    return BenchmarkRows(examples, lambda index: _cells(benchmark, raw, image, index))


def _read(benchmark: Benchmark, options: LoadOptions, source: str, split: str) -> RawRows:
    if options.data:
        return read_rows(source, split, image_root=options.image_root)
    try:
        return read_rows(source, split, benchmark.config, options.image_root)
    except UserError as error:
        raise UserError(f"{benchmark.name}: {error} (--data takes a local copy)") from error


def rows_from_items(
    items: Sequence[Item], cells: Sequence[list[Any]], benchmark: Benchmark, options: LoadOptions
) -> BenchmarkRows:
    """Rows from converted items and their image cells, for data with a layout of its own."""
    chosen = items if options.limit is None else items[: options.limit]
    examples = [to_example(item, benchmark, options) for item in chosen]
    return BenchmarkRows(examples, lambda index: list(cells[index]))


def to_example(item: Item, benchmark: Benchmark, options: LoadOptions) -> dict[str, Any]:
    """An item as an example with ``meta``, asked in the official or in the chosen prompt."""
    question = strip_placeholders(item.question)
    official = strip_placeholders(item.prompt) or benchmark.prompt.replace("{question}", question)
    text = official
    if options.prompt != OFFICIAL:
        text = resolve_prompt(options.prompt).replace("{question}", question)
    example = make_example(
        text,
        item.answer,
        example_id=item.example_id,
        cluster=item.cluster,
        kind=item.kind,
        system=resolve_system(options.system),
    )
    return {**example, "question": question, "meta": dict(item.meta or {})}


def inside(root: Path | Root, path: str) -> Any:
    """The image file ``path`` below ``root`` as a cell; a cell that says why it cannot be read."""
    try:
        return {"bytes": None, "path": resolve_path(path, root)}
    except ImageProblem as problem:
        return {"problem": str(problem)}


def _example(
    benchmark: Benchmark, options: LoadOptions, row: Mapping[str, Any], where: str
) -> dict[str, Any]:
    assert benchmark.convert is not None
    try:
        return to_example(benchmark.convert(row), benchmark, options)
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
    if isinstance(value, bytes):
        return {"bytes": value, "path": None}
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        return value
    path = value.get("path") if isinstance(value, Mapping) else value
    return inside(root, str(path))
