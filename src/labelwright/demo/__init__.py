"""The demo: the auto-annotation tutorial on real photos, and a page that shows what came of it."""
