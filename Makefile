# Every target first makes the virtual environment if it is missing, so that only python3 (with venv) and make are
# needed. Paths are relative and quoted, so that the repository may lie below any directory.

PYTHON ?= python3
ARGS ?=
RUN = .venv/bin/python
STAMP = .venv/installed-development

.DEFAULT_GOAL := help
.PHONY: help demo scale rolling test check services-test browser-test bench chaos verify doctor stop clean
.NOTPARALLEL:

help: ## Show this list.
	@echo "make TARGET [ARGS='...']"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: $(STAMP) ## Start everything, let simulated bidders bid, show it live. ARGS=--once: end after 20 sales, then verify.
	@$(RUN) -m auction_project.tools.embedded run -- $(RUN) manage.py demo $(ARGS)

POOLS = bids push site
scale: $(STAMP) ## More or fewer web processes of the running demo: make scale bids=4.
	@$(RUN) manage.py demo --scale $(foreach pool,$(POOLS),$(if $($(pool)),$(pool)=$($(pool))))

rolling: $(STAMP) ## Restart all processes of the running demo, one after the other; no request fails.
	@$(RUN) manage.py demo --rolling

test: $(STAMP) ## All tests that need only the embedded servers, with kills and outages; no Chromium.
	@PATH="$$PWD/.venv/bin:$$PATH" .ci/test $(ARGS)

check: $(STAMP) ## Format, lint, types, architecture, settings, migrations, the pages' JavaScript.
	@PATH="$$PWD/.venv/bin:$$PATH" bash .ci/check

services-test: $(STAMP) ## Conformance, end-to-end and browser tests on the servers that the environment names; needs a Chromium.
	@$(RUN) -m pytest -m "services or everywhere or browser" $(ARGS)

browser-test: $(STAMP) ## Two browsers against the whole stack; needs a Chromium.
	@$(RUN) -m auction_project.tools.embedded run --data var/test-browser -- $(RUN) -m pytest -m browser $(ARGS)

bench: $(STAMP) ## Measure speed into docs/benchmarks/; it takes an hour or more. ARGS='sales --repeats 1': one scenario, once.
	@$(RUN) -m auction_project.tools.embedded run --data var/bench -- $(RUN) -m benchmarks $(ARGS)

chaos: $(STAMP) ## Let every process die and hang and every store go away under load, and write docs/reliability.md.
	@GAVEL_RELIABILITY=docs/reliability.md $(RUN) -m auction_project.tools.embedded run --data var/chaos -- $(RUN) -m pytest tests/test_chaos.py tests/test_rolling.py $(ARGS)

verify: $(STAMP) ## Check every invariant of the demo that runs in another terminal, and say what each means.
	@$(RUN) manage.py demo --verify $(ARGS)

doctor: $(STAMP) ## Say what is wrong with the demo that runs in another terminal, and what to do.
	@$(RUN) manage.py demo --doctor $(ARGS)

stop: $(STAMP) ## End the demo that runs in another terminal.
	@$(RUN) manage.py demo --stop

clean: ## Remove the virtual environment and all data below var/ (refused while something runs there).
	@for lock in var/*/lock; do \
	  if [ -f "$$lock" ] && ! $(PYTHON) -c 'import fcntl, sys; fcntl.flock(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)' "$$lock" 2>/dev/null; then \
	    echo "$$lock is in use: stop that run first (make stop)." >&2; exit 1; fi; done
	@rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv whose interpreter is gone, because the system's Python was replaced, is made anew.
ifneq ($(shell .venv/bin/python -c '' 2>/dev/null && echo works),works)
$(STAMP): broken
.PHONY: broken
broken:
endif

# pip's cache is used if its directory can be written. An installation that was interrupted, or that another Python or
# another directory made, has no stamp of its own, and is made anew.
$(STAMP): requirements/development.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else "Gavel needs Python 3.11 to 3.14, and $(PYTHON) is %d.%d: make PYTHON=python3.12 ..." % v)'
	@[ ! -L .venv ] || { echo ".venv is a link, and the installation would empty the directory that it points to: remove the link first." >&2; exit 1; }
	@echo "Installing into .venv (once; one to three minutes) ..."
	@rm -f $(STAMP)
	@$(PYTHON) -m venv --clear .venv || { echo "python3 cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@cache=$$($(RUN) -m pip --disable-pip-version-check cache dir 2>/dev/null); \
	  if [ -n "$$cache" ] && mkdir -p "$$cache" 2>/dev/null && [ -w "$$cache" ]; then option=; else option=--no-cache-dir; fi; \
	  PIP_ROOT_USER_ACTION=ignore $(RUN) -m pip install --quiet --disable-pip-version-check $$option --only-binary :all: --no-deps --require-hashes -r requirements/development.txt
	@touch $(STAMP)
	@echo "Installed."
