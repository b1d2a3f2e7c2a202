"""Readers: from files, folders, globs and addresses to raw records, and to what could not be read, in file order."""

from dateline.corpus.readers.files import (
    expand_paths,
    file_fingerprint,
    file_size,
    is_remote,
    named_by,
    open_file,
    open_raw,
)
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.corpus.readers.registry import Unit, read_files, read_unit, reader_of, work_units

__all__ = [
    "Columns",
    "Reader",
    "Record",
    "Unit",
    "Unreadable",
    "expand_paths",
    "file_fingerprint",
    "file_size",
    "is_remote",
    "named_by",
    "open_file",
    "open_raw",
    "read_files",
    "read_unit",
    "reader_of",
    "work_units",
]
