"""Articles become tokens once; rows are planned, mixed and conditioned while loading."""
