"""One file a verb: HELP, add_arguments(parser), execute(args) -> int. Printing to stdout happens here and nowhere else."""
