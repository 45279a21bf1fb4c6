"""Who may do what: pure functions over values, with no I/O."""
