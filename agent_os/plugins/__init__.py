"""One file a provider. Plugins do not know each other and see only the public API of the package."""
