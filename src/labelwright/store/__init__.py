"""The store: every table and every statement of the project, for SQLite and PostgreSQL alike.

`engine.Store` opens a database and hands out connections; the other modules hold functions that take a
connection first, one module a resource. Messages of the wire are opaque bytes here.
"""
