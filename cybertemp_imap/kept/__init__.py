"""What was read of messages, kept ready to be sent again: outside of the process's memory, and of bounded size."""
