"""A demonstration account with mail of every kind, for trying the server and for its tests."""
