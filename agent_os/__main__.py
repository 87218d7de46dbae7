"""`python -m agent_os`."""

from .main import main

if __name__ == "__main__":
    raise SystemExit(main())
