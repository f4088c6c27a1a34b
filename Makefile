.PHONY: help project test bench lint lock picture

BIN := .venv/bin

# `user = true` in pip.conf would make every installation into a virtual environment fail.
export PIP_USER := 0

help: ## list what make does here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

# Complaints about answers, which are written to stderr, are shown last.
project: .venv-project/.installed ## generate a backend beside this folder; args="--no-input project_name=Shop" asks nothing
	@PATH="$$PATH:$(CURDIR)/.venv-project/bin" .venv-project/bin/cookiecutter -o .. "$(CURDIR)" $(args) \
	    2> .venv-project/stderr; status=$$?; cat .venv-project/stderr >&2; exit $$status

test: .venv/.installed ## run the tests; args="-m 'not slow'" leaves out those that take more than two seconds
	@$(BIN)/pytest --numprocesses auto --dist loadscope --no-loadscope-reorder $(args)

bench: .venv/.installed ## measure what benchmarks/RESULTS.md holds, for a quarter of an hour; args=--quick writes nothing; needs wrk
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(args)

# No cache, since cookiecutter would render the one that ruff leaves in the template.
lint: .venv/.installed ## check format, style and types
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy

lock: .venv/.installed ## lock again in the same versions; args=--upgrade takes the newest
	@PYTHONPATH='{{cookiecutter.project_slug}}/UNFINISHED' PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m scripts.lock $(args)

picture: .venv/.installed ## draw docs/terminal.svg, the terminal session of the README, from a real run
	@$(BIN)/python scripts/picture.py

.venv-project/.installed: requirements.txt
	@echo "Installing cookiecutter and uv into .venv-project/, once ..."
	@$(call install,.venv-project,requirements.txt)

.venv/.installed: requirements-dev.txt
	@echo "Installing requirements-dev.txt into .venv/, once ..."
	@$(call install,.venv,requirements-dev.txt)

define install
if command -v uv > /dev/null; then \
    uv venv --quiet --allow-existing $(1) && \
    uv pip install --quiet --python $(1)/bin/python --require-hashes -r $(2); \
else \
    python3 -m venv $(1) && \
    $(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2); \
fi && touch $(1)/.installed
endef
