"""Local folders: which files are which split, by the rules of the datasets library.

Its readers of text give every cell of a column one type, whatever the file says: "007" becomes 7,
"NA" nothing, a date no text, and a column of texts and numbers JSON. So text files of a folder are
read as they are when ``data.source`` names them, with their lines; what else there is, and folders
whose card says how to read them, are left to the library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import datasets
from datasets.packaged_modules.csv.csv import Csv
from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder
from datasets.packaged_modules.json.json import Json

from noisygrpo.data.cells import Root
from noisygrpo.data.files import Read, read_csv, read_json
from noisygrpo.data.raw import RawRows
from noisygrpo.data.texts import kind_of, require_data
from noisygrpo.errors import UserError

_METADATA = ("metadata.csv", "metadata.jsonl")
_PICTURES = {"file_name": "image", "file_names": "images"}
_OF_THE_LIBRARY = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
_OF_SOURCE = ("name", "version", "data_dir", "data_files", "description")


class Folder:
    """A folder of data files, and its splits."""

    def __init__(self, path: Path, config: str) -> None:
        """Raises what the datasets library raises where it finds no data files."""
        self.path = path
        self._builder = datasets.load_dataset_builder(str(path), config or None)
        found = self._builder.config.data_files or {}
        self._files = {str(split): [str(one) for one in files] for split, files in found.items()}

    def load(self, split: str) -> datasets.Dataset:
        """A split as the datasets library reads it."""
        for file in map(Path, self._files.get(split, ())):
            if kind_of(file) == ".parquet" and file.is_file():
                with file.open("rb") as opened:
                    require_data(opened.read(256), self._called(file), ".parquet")
        self._builder.download_and_prepare()
        return self._builder.as_dataset(split=split)

    def rows(self, split: str, root: Root) -> RawRows | None:
        """A split that consists of plain text files; None where it does not.

        Raises ``UserError`` for a file that cannot be read, with the line.
        """
        files = self._texts(split)
        if not files:
            return None
        read = [self._read(file, len(files)) for file in files]
        rows = [row for _, found, _ in read for row in found]
        places = [(where, n) for _, found, where in read for n in range(len(found))]
        columns = tuple(dict.fromkeys(name for names, _, _ in read for name in names))
        label = f"{self.path.name} ({split})"
        if self._has_pictures and any("file_name" in name for name in columns):
            return None  # further pictures in columns, such as mask_file_name

        def named(row: int) -> str:
            where, number = places[row]
            return where(number)

        return RawRows(columns, rows, f"{self.path.name}-{split}", label, named, root)

    @property
    def splits(self) -> list[str]:
        """The names of the splits."""
        return sorted(self._files)

    @property
    def hint(self) -> str:
        """The way out where a folder of pictures has its rows in a file that the library left."""
        if not self._has_pictures:
            return ""
        beside = [one for one in sorted(self.path.iterdir()) if one.is_file() and kind_of(one)]
        if not beside:
            return " (a folder of pictures needs a metadata.jsonl with file_name and these columns)"
        return f" (read as a folder of pictures; data.source: {beside[0]} reads the file)"

    @property
    def aside(self) -> str:
        """A line on data files of the folder that are in no split; "" where there are none."""
        read = {os.path.realpath(one) for files in self._files.values() for one in files}
        left = [
            self._called(one)
            for one in sorted(self.path.rglob("*"))
            if kind_of(one)
            and one.name not in _OF_THE_LIBRARY
            and os.path.realpath(one) not in read
        ]
        left = [name for name in left if not any(part[0] in "._" for part in Path(name).parts)]
        if not left:
            return ""
        named = ", ".join(left[:5]) + (", …" if len(left) > 5 else "")
        return f"{len(left):,} data files of {self.path.name} are not read: {named}"

    @property
    def _has_pictures(self) -> bool:
        return isinstance(self._builder, ImageFolder)

    def _texts(self, split: str) -> list[Path]:
        """The text files of a split, none where it has others or the card sets how to read it."""
        if not isinstance(self._builder, (Csv, Json, ImageFolder)):
            return []
        config = self._builder.config
        usual = type(config)()
        if self._builder.info.features is not None or any(
            getattr(config, one.name) != getattr(usual, one.name)
            for one in fields(config)
            if one.name not in _OF_SOURCE
        ):
            return []
        files = [Path(one) for one in self._files.get(split, ())]
        if self._has_pictures:
            files = [file for file in files if file.name in _METADATA]
        plain = all(kind_of(file) not in ("", ".parquet") and file.is_file() for file in files)
        return files if plain else []

    def _called(self, file: Path) -> str:
        return os.path.relpath(file, self.path)

    def _read(self, file: Path, count: int) -> Read:
        try:
            read = read_text_file(file, self._called(file))
        except UserError as error:
            if count == 1:
                raise
            raise UserError(
                f"{error} (all of {count} files of {self.path.name} are read; the path of one "
                "reads that one alone)"
            ) from error
        return self._with_pictures(read, file.parent) if self._has_pictures else read

    def _with_pictures(self, read: Read, folder: Path) -> Read:
        """Rows of metadata, with the pictures that they name under the library's names."""
        names, rows, where = read
        prefix = os.path.relpath(folder, self.path)

        def placed(cell: Any) -> Any:
            if isinstance(cell, list):
                return [placed(item) for item in cell]
            return os.path.join(prefix, cell) if isinstance(cell, str) and cell else cell

        def renamed(row: Mapping[str, Any]) -> dict[str, Any]:
            return {
                _PICTURES.get(key, key): placed(cell) if key in _PICTURES else cell
                for key, cell in row.items()
            }

        columns = tuple(_PICTURES.get(name, name) for name in names)
        return columns, [renamed(row) for row in rows], where


def read_text_file(path: Path, name: str = "") -> Read:
    """Read a file of json, json lines, csv or tsv; ``name`` is what messages call it."""
    return (read_csv if kind_of(path) in (".csv", ".tsv") else read_json)(path, name)
