"""Files in the published layouts of other tools, three rows each, written by hand.

Every function writes into a folder that holds ``0.png`` to ``2.png`` and returns the source and the
options that a user of that tool would give. Row n asks about picture n, and its answer is ``n``.
"""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

Source = tuple[Path, dict[str, str]]
ASK = "How many?"


def lines(folder: Path, row: Callable[[int], dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row(n)) + "\n" for n in range(3)))
    return path


def listed(folder: Path, row: Callable[[int], dict[str, Any]]) -> Path:
    path = folder / "rows.json"
    path.write_text(json.dumps([row(n) for n in range(3)], indent=2))
    return path


def said(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def ms_swift(folder: Path) -> Source:
    def row(n: int) -> dict[str, Any]:
        turns = [{"role": "user", "content": f"See <image>. {ASK}"}]
        return {"messages": turns, "images": [f"{n}.png"], "solution": str(n)}

    return lines(folder, row), {}


def llama_factory(folder: Path) -> Source:
    def row(n: int) -> dict[str, Any]:
        turns = [
            {"content": f"<image>{ASK}", "role": "user"},
            {"content": str(n), "role": "assistant"},
        ]
        return {"messages": turns, "images": [f"{n}.png"]}

    return listed(folder, row), {}


def llava(folder: Path) -> Source:
    (folder / "train2017").mkdir()
    for n in range(3):
        (folder / f"{n}.png").rename(folder / "train2017" / f"{n}.png")

    def row(n: int) -> dict[str, Any]:
        return {"id": n, "image": f"{n}.png", "conversations": said(f"<image>\n{ASK}", str(n))}

    return listed(folder, row), {"--data.image_root": str(folder / "train2017")}


def sharegpt(folder: Path) -> Source:
    def row(n: int) -> dict[str, Any]:
        turns = [*said("Hello.", "Hello!"), *said(f"<image>{ASK}", str(n))]
        return {"conversations": turns, "system": "Be brief.", "images": [f"{n}.png"]}

    return listed(folder, row), {"--data.format": "sharegpt"}


def vlm_r1(folder: Path) -> Source:
    def row(n: int) -> dict[str, Any]:
        turns = said(f"<image><image>{ASK}", str(n))
        return {"id": n, "image": [f"{n}.png", f"{n}.png"], "conversations": turns}

    return lines(folder, row), {}


def trl(folder: Path) -> Source:
    def row(n: int) -> dict[str, Any]:
        content = [{"type": "image"}, {"type": "text", "text": ASK}]
        prompt = [{"role": "user", "content": content}]
        return {"prompt": prompt, "image": f"{n}.png", "solution": str(n)}

    return lines(folder, row), {}


def embedded(folder: Path) -> list[dict[str, Any]]:
    return [{"bytes": (folder / f"{n}.png").read_bytes(), "path": None} for n in range(3)]


def easyr1(folder: Path) -> Source:
    kind = pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    columns = {
        "images": pa.array([[image] for image in embedded(folder)], kind),
        "problem": [f"<image>{ASK}"] * 3,
        "answer": ["0", "1", "2"],
    }
    pq.write_table(pa.table(columns), folder / "train.parquet")
    return folder / "train.parquet", {}


def geometry3k(folder: Path) -> Source:
    """As the hub has it: a folder of parquet with features of the datasets library."""
    features = {
        "images": datasets.List(datasets.Image()),
        "problem": datasets.Value("string"),
        "answer": datasets.Value("string"),
    }
    rows = {
        "images": [[image] for image in embedded(folder)],
        "problem": [f"<image>{ASK}"] * 3,
        "answer": ["0", "1", "2"],
    }
    made = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    (folder / "geo" / "data").mkdir(parents=True)
    made.to_parquet(str(folder / "geo" / "data" / "train-00000-of-00001.parquet"))
    return folder / "geo", {}


def with_csv(folder: Path) -> Source:
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "question", "answer"])
        writer.writerows([f"{n}.png", f"{ASK} Now, please.", n] for n in range(3))
    return folder / "rows.csv", {}


def with_tsv(folder: Path) -> Source:
    """As VLMEvalKit's: the picture is base64."""
    with (folder / "rows.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["index", "image", "question", "answer"])
        pictures = [base64.b64encode(image["bytes"]).decode() for image in embedded(folder)]
        writer.writerows([n, picture, ASK, n] for n, picture in enumerate(pictures))
    return folder / "rows.tsv", {}


def saved(folder: Path) -> Source:
    rows = {"image": embedded(folder), "question": [ASK] * 3, "answer": ["0", "1", "2"]}
    kinds = {"question": datasets.Value("string"), "answer": datasets.Value("string")}
    features = datasets.Features({"image": datasets.Image(), **kinds})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(folder / "saved"))
    return folder / "saved", {}


def image_folder(folder: Path) -> Source:
    place = folder / "pictures" / "train"
    place.mkdir(parents=True)
    for n in range(3):
        (folder / f"{n}.png").rename(place / f"{n}.png")
    rows = [{"file_name": f"{n}.png", "question": ASK, "answer": str(n)} for n in range(3)]
    (place / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "pictures", {}


PUBLISHED: dict[str, Callable[[Path], Source]] = {
    "ms-swift": ms_swift,
    "LLaMA-Factory": llama_factory,
    "LLaVA": llava,
    "ShareGPT": sharegpt,
    "VLM-R1": vlm_r1,
    "TRL": trl,
    "EasyR1": easyr1,
    "Geometry3K": geometry3k,
    "csv": with_csv,
    "tsv": with_tsv,
    "saved data set": saved,
    "image folder": image_folder,
}
