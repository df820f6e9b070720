"""Where tasks are done: one module a way."""
