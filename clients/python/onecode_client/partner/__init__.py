"""The program ``onecode-partner``: what a partner system does with a server, on the command line."""
