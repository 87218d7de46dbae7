# What can be done here. `make test PYTHON=python3.9` does it with another Python, in an environment of its own.
PYTHON ?= python3
VENV := .venv
ifneq ($(PYTHON),python3)
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
TOOLS := $(VENV)/.ready
RUN := $(VENV)/bin/python
# The names under "dev" in pyproject.toml, which is the one place that lists them.
DEV := import re; print(*re.findall(r"^    \x22(.+)\x22,$$", open("pyproject.toml").read().split("dev = [")[1].split("\n]")[0], re.M), sep="\n")
ARGS ?=
BENCHES := $(filter-out table __init__,$(basename $(notdir $(wildcard bench/*.py))))

.PHONY: help demo build test vendored check verify smoke bench clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1#\2/p' Makefile | awk -F'#' '{printf "%-15s %s\n", $$1, $$2}'

demo: build ## build the file and watch it collect invented bills, in ten seconds, without a key
	./agent_os.pyz demo

build: ## make agent_os.pyz; needs nothing but Python 3.9 or newer
	$(PYTHON) build.py

test: $(TOOLS) ## run the tests side by side (ARGS="-k money" chooses, ARGS="-n 0" takes one after the other)
	$(RUN) -m pytest -n auto --dist worksteal $(ARGS)

vendored: $(TOOLS) ## run all tests against a copy of the folder inside another project
	rm -rf build/project && mkdir -p build/project/acme/_vendor && touch build/project/acme/__init__.py build/project/acme/_vendor/__init__.py
	cp -R agent_os build/project/acme/_vendor/
	PYTHONPATH=build/project AGENT_OS_TEST_PACKAGE=acme._vendor.agent_os $(RUN) -m pytest -n auto --dist worksteal -p no:cacheprovider -m "not slow" \
		--ignore tests/test_architecture.py --ignore tests/test_archive.py $(ARGS)

check: $(TOOLS) ## lint, formatting, types
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy --strict

verify: ## build twice under different circumstances and compare the bytes
	PYTHON="$(PYTHON)" .ci/verify

smoke: build ## start the built file as badly as machines start things
	.ci/smoke agent_os.pyz

bench: $(TOOLS) ## print the tables of bench/
	@for name in $(BENCHES); do echo; $(RUN) -m bench.$$name || exit 1; done

clean: ## remove what was built, and the environments
	rm -rf build dist .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis agent_os.pyz billing_tracker.pyz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(TOOLS): pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make environments: install its venv package (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PYTHON) -c '$(DEV)' > $(VENV)/dev.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check -r $(VENV)/dev.txt
	@touch $@
