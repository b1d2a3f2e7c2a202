"""Readers: news files in, one raw record after another out.

Enters: paths (files, folders, globs, `s3://` and other fsspec addresses) and a column mapping.
Leaves: `Record` for every article that could be read, `Unreadable` for every piece that could not, in file order.
Deliberately not done: no cleaning, no download of anything that the recipe does not name.
"""

from dateline.corpus.readers.columns import Columns, Record, Unreadable
from dateline.corpus.readers.files import expand_paths, file_fingerprint, file_size, open_file, open_raw
from dateline.corpus.readers.reader import Reader
from dateline.corpus.readers.registry import Unit, read_files, read_unit, work_units

__all__ = [
    "Columns",
    "Reader",
    "Record",
    "Unit",
    "Unreadable",
    "expand_paths",
    "file_fingerprint",
    "file_size",
    "open_file",
    "open_raw",
    "read_files",
    "read_unit",
    "work_units",
]
