"""The command line: parse, call one function, print. Heavy imports stay inside the verbs."""
