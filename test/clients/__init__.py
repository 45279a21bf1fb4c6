"""Real mail clients that read the demonstration's mail from a real server."""
