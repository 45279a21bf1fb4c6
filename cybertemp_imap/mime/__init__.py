"""RFC 5322 and MIME: from a stored row to bytes, and from bytes to structure."""
