"""Parquet: one record a row, read batch by batch.

Enters: an open binary file. Leaves: records, and rows whose binary columns are not UTF-8.
Deliberately not done: no columns beyond those asked for are read, no partitioned data sets (name their files).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.corpus.readers.columns import Columns, Record, Unreadable, choose_columns, to_record
from dateline.errors import UserError

BATCH_ROWS = 256


def read_parquet(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields a record for each row; at most 256 rows and one column chunk's pages are in memory.

    Raises:
        UserError: where the file is not Parquet, is cut off or is damaged.
    """
    row = 0
    try:
        table = pq.ParquetFile(file)
        chosen = choose_columns(table.schema_arrow.names, columns, path)
        wanted = list(dict.fromkeys(chosen.values()))
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
            for values in batch.to_pylist():
                row += 1
                source = f"{path}:{row}"
                try:
                    record = to_record(values, chosen, source)
                except UnicodeDecodeError as error:
                    yield Unreadable(source, f"not UTF-8 at byte {error.start}", "")
                    continue
                yield record
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        where = f"{path}:{row}" if row else path
        raise UserError(f"{where}: cannot be read as Parquet ({reason})") from None
