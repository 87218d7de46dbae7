"""Agent OS: a local-first workflow engine in one file, with collectors that know what AI providers really charged."""

__version__ = "0.1.0"
