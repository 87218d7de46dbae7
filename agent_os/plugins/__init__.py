"""One file a provider. Plugins do not know each other and see only the public API of the package."""

# Written out: looking into a zip for them takes longer than importing them.
NAMES = (
    *("anthropic", "claude_code", "codex", "cursor", "gemini_cli", "github_copilot", "openai", "opencode"),
    "openrouter",
)


def load() -> list:  # type: ignore[type-arg]  # of Collector classes; naming the type would import it
    """The collector classes of all plugins, in the order of their names."""
    from ..core.collector import Collector

    found = []
    for name in NAMES:
        module = __import__(f"{__name__}.{name}", fromlist=["*"])
        found += [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Collector) and each.__module__ == module.__name__
        ]
    return found
