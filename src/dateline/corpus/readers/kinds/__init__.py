"""One reader for each kind of file; `registry.py` says which extension belongs to which."""
