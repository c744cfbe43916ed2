"""The annotator: claims inputs, runs the default workflow on them, and commits what it wrote."""
