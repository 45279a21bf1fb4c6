"""Several processes that serve as one: workers, and the process that starts them and looks after them."""
