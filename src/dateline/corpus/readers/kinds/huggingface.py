"""Hugging Face datasets: from the hub, shard by shard as they stream, or from a folder on disk.

Addresses are `hf-dataset://OWNER/NAME?config=..&split=..&revision=..` (the split `train` if none is named), the same
with the path of a local folder (`hf-dataset:///data/news`), or a folder that `datasets.save_to_disk` made (all its
splits).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from dateline.corpus.readers.files import explained, file_fingerprint
from dateline.corpus.readers.kinds.tables import BATCH_ROWS, ArrowFile, choose_table_columns, read_batches
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.errors import UserError

SCHEME = "hf-dataset://"
LONGEST_NAME = 255
"""Bytes of the longest name of a file that file systems know."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_SHARD = re.compile(r"shard=(\d{1,9})/(\d{1,9})")


class HuggingFace(Reader):
    """Datasets of the Hugging Face hub, and folders of the library `datasets`."""

    extensions = ()
    plain = False

    def claims(self, path: str) -> bool:
        """Says whether a path is an address of a dataset, or a folder that `save_to_disk` made."""
        return path.startswith(SCHEME) or ("://" not in path and _is_saved(Path(path)))

    def units(self, files: Sequence[str]) -> list[tuple[str, ...]]:
        """Returns one unit a shard: an Arrow file of a saved folder, or the address with `#shard=3/16`.

        Raises:
            UserError: where the dataset, its configuration or its split is not there, or cannot be reached.
        """
        found: list[tuple[str, ...]] = []
        for file in files:
            if not file.startswith(SCHEME):
                found += [(shard,) for shard in _saved_shards(Path(file), None)]
                continue
            address = _Address.of(file)
            if address.local and _is_saved(Path(address.name)):
                found += [(shard,) for shard in _saved_shards(Path(address.name), address.split)]
            elif address.shard:
                found.append((file,))
            else:
                shards = max(1, _streamed(address, file).num_shards)
                found += [(f"{file}#shard={number}/{shards}",) for number in range(shards)]
        return found

    def fingerprint(self, file: str) -> str | None:
        """Returns the commit of a dataset on the hub, or what a local folder holds.

        Raises:
            UserError: where the hub cannot be reached.
        """
        if not file.startswith(SCHEME):
            return None
        address = _Address.of(file)
        if address.local:
            if not Path(address.name).is_dir():
                raise UserError(f"{file}: there is no folder {address.name}")
            return file_fingerprint(address.name)
        hub = _library("huggingface_hub", file)
        try:
            return str(hub.HfApi().dataset_info(address.name, revision=address.revision).sha)
        except Exception as error:  # the hub's library raises a dozen kinds
            raise UserError(f"{file}: cannot be reached ({_line(error)})") from None

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields a record for each row; 256 rows are in memory.

        Raises:
            UserError: where the hub cannot be reached, the shard is damaged, or has other columns.
        """
        for file in files:
            if not file.startswith(SCHEME):
                yield from ArrowFile().read((file,), columns)
                continue
            address = _Address.of(file)
            dataset = _streamed(address, file)
            if address.shard:
                number, shards = address.shard
                if shards != max(1, dataset.num_shards) or number >= shards:
                    raise UserError(f"{file}: the dataset has {dataset.num_shards} shards now; build the corpus again")
                dataset = dataset.shard(num_shards=shards, index=number)
            tables = _tables(dataset, file)
            first = next(tables, None)
            if first is None:
                continue
            chosen = choose_table_columns(first.schema, columns, file, partial(_first_batch, first))
            batches = (batch for table in _after(first, tables) for batch in table.to_batches())
            yield from read_batches(batches, chosen, file, "a Hugging Face dataset")


def _first_batch(table: Any, names: list[str]) -> Any:
    return next(iter(table.select([name.partition(".")[0] for name in names]).to_batches()), None)


class _Address(NamedTuple):
    """What an address says."""

    name: str
    local: bool
    config: str | None
    split: str
    revision: str | None
    shard: tuple[int, int] | None

    @classmethod
    def of(cls, path: str) -> _Address:
        try:
            parts = urlsplit(path)
            asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise UserError(f"{path}: no address of a dataset ({error})") from None
        local = not parts.netloc
        name = unquote(parts.path) if local else f"{parts.netloc}{parts.path}".rstrip("/")
        if not (name if local else _NAME.fullmatch(name)):
            raise UserError(f"{path}: no address of a dataset; write {SCHEME}OWNER/NAME or {SCHEME}/FOLDER")
        if not local and Path(name).exists():  # `datasets` would take the folder
            raise UserError(
                f"{path}: there is a folder '{name}' here too; to read it write {SCHEME}{Path(name).resolve()}"
            )
        if others := sorted(set(asked) - {"config", "split", "revision"}):
            raise UserError(f"{path}: unknown '{others[0]}'; an address may have config=, split= and revision=")
        shard = _SHARD.fullmatch(parts.fragment)
        if parts.fragment and not shard:
            raise UserError(f"{path}: unknown '#{parts.fragment}'; a shard is written #shard=0/16")
        return cls(
            name,
            local,
            asked.get("config"),
            asked.get("split", "train"),
            asked.get("revision"),
            (int(shard[1]), int(shard[2])) if shard else None,
        )


def _is_saved(folder: Path) -> bool:
    try:
        if (folder / "dataset_dict.json").is_file():
            return True
        return (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    except OSError:  # a name that is too long
        return False


def _saved_shards(folder: Path, split: str | None) -> list[str]:
    """Returns the Arrow files of a saved folder in order: of one split, or of all."""
    if (folder / "dataset_dict.json").is_file():
        splits = _names(folder / "dataset_dict.json", "splits", None)
        if split is not None and split not in splits:
            raise UserError(f"{folder}: there is no split '{split}'; there are {', '.join(splits)}")
        return [shard for name in splits if split in (None, name) for shard in _saved_shards(folder / name, None)]
    return [str(folder / name) for name in _names(folder / "state.json", "_data_files", "filename")]


def _names(file: Path, key: str, inner: str | None) -> list[str]:
    """Returns the names that a JSON file of `datasets` lists; they must be names, no paths."""
    try:
        with explained(str(file)):
            listed = json.loads(file.read_bytes())[key]
        names = [item[inner] if inner else item for item in listed]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"{file}: does not list what it should under '{key}' ({_line(error)})") from None
    for name in names:
        if (
            not isinstance(name, str)
            or Path(name).name != name
            or name in ("", "..")
            or not name.isprintable()
            or len(name.encode()) > LONGEST_NAME
        ):
            raise UserError(f"{file}: {str(name)[:80]!r} is no name of a file in this folder")
    return names


def _streamed(address: _Address, path: str) -> Any:
    datasets = _library("datasets", path)
    try:
        return datasets.load_dataset(
            address.name, address.config, split=address.split, revision=address.revision, streaming=True
        )
    except Exception as error:  # `datasets` and what it calls raise a dozen kinds
        raise UserError(f"{path}: cannot be opened ({_line(error)})") from None


def _tables(dataset: Any, path: str) -> Iterator[Any]:
    """Yields Arrow tables; in this format nothing is decoded, so that no image is fetched either."""
    try:
        yield from dataset.with_format("arrow").iter(batch_size=BATCH_ROWS)
    except Exception as error:
        raise UserError(f"{path}: cannot be read ({_line(error)})") from None


def _after(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _library(name: str, path: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UserError(f"{path}: reading it needs the package '{name}'; pip install 'dateline[hub]'") from None


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
