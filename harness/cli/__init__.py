"""The command line: one module a verb, thin; everything it does is a call into a stage."""
