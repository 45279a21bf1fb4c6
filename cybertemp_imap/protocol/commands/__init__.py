"""What each command does: parse, check, act, answer."""
