"""Readers: news files in, one raw record after another out.

Enters: paths (files, folders, globs, `s3://` and other fsspec addresses) and a column mapping.
Leaves: `Record` for every article that could be read, `Unreadable` for every line that could not, in file order.
Deliberately not done: no cleaning, no HTML pages or feeds, no download of anything that the recipe does not name.
"""

from dateline.corpus.readers.columns import Columns, Record, Unreadable
from dateline.corpus.readers.files import expand_paths, file_fingerprint, read_file, read_files

__all__ = ["Columns", "Record", "Unreadable", "expand_paths", "file_fingerprint", "read_file", "read_files"]
