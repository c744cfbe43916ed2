"""Operators: model types without weights. Pure functions over batches; one type a file, one registration each."""
