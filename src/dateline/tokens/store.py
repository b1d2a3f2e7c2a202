"""The encoded corpus on disk: Arrow IPC shards, memory-mapped, so that any document is read without the rest.

The token column holds bodies alone; BOS, EOS, prefix and order belong to whoever reads.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.manifest import Manifest, require_manifest

TEXT_COLUMNS = ("id", "url", "domain", "country", "continent", "date", "split")
SCHEMA = pa.schema(
    [pa.field("tokens", pa.large_list(pa.int32()))]
    + [pa.field(name, pa.string()) for name in TEXT_COLUMNS]
    + [pa.field("num_bytes", pa.int32())]
)
"""One row a document; `num_bytes` is 0 where the tokens do not give the text back: its bytes were not all encoded."""
SHARD_DOCUMENTS = 100_000


class ShardWriter:
    """Writes record batches into numbered Arrow files; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: where `data-00000.arrow` and its followers go."""
        self.folder = folder
        self.num_documents = 0
        self._writer: pa.RecordBatchFileWriter | None = None
        self._in_shard = 0
        self._shards = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends one batch of `SCHEMA`."""
        if self._writer is None or self._in_shard >= SHARD_DOCUMENTS:
            if self._writer is not None:
                self._writer.close()
            self._writer = pa.ipc.new_file(str(self.folder / f"data-{self._shards:05d}.arrow"), SCHEMA)
            self._shards += 1
            self._in_shard = 0
        self._writer.write_batch(batch)
        self._in_shard += batch.num_rows
        self.num_documents += batch.num_rows


class EncodedCorpus:
    """Read access to an encoded corpus; documents are numbered from 0 in the order in which they were written."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Opens the shards; use `EncodedCorpus.open`, which checks the folder first."""
        self.folder = folder
        self.manifest = manifest
        self.tokenizer_folder = folder / "tokenizer"
        files = sorted(folder.glob("data-*.arrow"))
        if not files:
            raise UserError(f"{folder}: no data-*.arrow in it; encode the corpus again")
        self._batches: list[pa.RecordBatch] = []
        for file in files:
            try:
                reader = pa.ipc.open_file(pa.memory_map(str(file)))
                self._batches.extend(reader.get_batch(index) for index in range(reader.num_record_batches))
            except pa.ArrowInvalid as error:
                raise UserError(f"{file}: not a readable Arrow file ({error}); encode the corpus again") from None
        self._starts = np.cumsum([0] + [batch.num_rows for batch in self._batches])
        self.num_documents = int(self._starts[-1])
        expected = manifest.counts.get("kept", self.num_documents)
        if self.num_documents != expected:
            raise UserError(
                f"{folder}: {len(files)} shards hold {self.num_documents} documents instead of {expected}; "
                "a shard is missing or foreign: encode the corpus again"
            )
        self._values: list[npt.NDArray[np.int32]] = []
        self._offsets: list[npt.NDArray[np.int64]] = []
        for batch in self._batches:
            lists: Any = batch.column("tokens")
            self._values.append(_view(lists.values, np.int32))
            self._offsets.append(_view(lists.offsets, np.int64))

    @classmethod
    def open(cls, folder: Path | str) -> EncodedCorpus:
        """Opens a folder made by `dateline encode`.

        Raises:
            UserError: where the folder is missing, unfinished, damaged or something else.
        """
        folder = Path(folder)
        return cls(folder, require_manifest(folder, "encode", "dateline encode CORPUS --out DIR"))

    def tokens(self, index: int) -> npt.NDArray[np.int32]:
        """Returns the body tokens of one document, shape [length]; a view, not a copy."""
        at = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - int(self._starts[at])
        offsets = self._offsets[at]
        return self._values[at][offsets[row] : offsets[row + 1]]

    def metadata(self, index: int) -> Metadata:
        """Returns the metadata columns of one document."""
        at = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - int(self._starts[at])
        batch = self._batches[at]
        return Metadata(*(batch.column(name)[row].as_py() for name in Metadata._fields))

    def column(self, name: str) -> npt.NDArray[np.object_]:
        """Returns a text column as an array of str, shape [num_documents]."""
        arrays = []
        for batch in self._batches:
            encoded: Any = batch.column(name).dictionary_encode(null_encoding="encode")
            texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
            arrays.append(texts[_view(encoded.indices, np.int32)])
        return np.concatenate(arrays)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Body tokens of every document, shape [num_documents]."""
        return np.concatenate([np.diff(offsets) for offsets in self._offsets]).astype(np.int64)

    @cached_property
    def num_bytes(self) -> npt.NDArray[np.int64]:
        """Body bytes of every document, 0 where its tokens do not give it back, shape [num_documents]."""
        arrays: list[Any] = [batch.column("num_bytes") for batch in self._batches]
        return np.concatenate([_view(array, array.type.to_pandas_dtype()) for array in arrays]).astype(np.int64)

    @cached_property
    def keys(self) -> npt.NDArray[np.uint64]:
        """The ids as 64-bit integers, shape [num_documents]: what dropout is computed from."""
        raw = bytes.fromhex("".join(self.ids))
        return np.frombuffer(raw, dtype=">u8").astype(np.uint64)

    @cached_property
    def ids(self) -> list[str]:
        """Article ids, 16 hex digits each."""
        return [str(value) for value in self.column("id")]

    @cached_property
    def splits(self) -> npt.NDArray[np.object_]:
        """The split of every document."""
        return self.column("split")

    @cached_property
    def countries(self) -> npt.NDArray[np.object_]:
        """The country of every document."""
        return self.column("country")

    @cached_property
    def continents(self) -> npt.NDArray[np.object_]:
        """The continent of every document."""
        return self.column("continent")

    @cached_property
    def domains(self) -> npt.NDArray[np.object_]:
        """The domain of every document."""
        return self.column("domain")

    def select(self, split: str) -> npt.NDArray[np.int64]:
        """Returns the indices of a split's documents, ascending."""
        return np.flatnonzero(self.splits == split).astype(np.int64)


def _view(array: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Returns the numbers of an Arrow array without a copy; pyarrow's own `to_numpy` loads pandas, half a second."""
    numbers: npt.NDArray[Any] = np.frombuffer(array.buffers()[1], dtype)[array.offset : array.offset + len(array)]
    return numbers
