"""What the server tells over HTTP: how it is to its operator, and its settings to mail clients."""
