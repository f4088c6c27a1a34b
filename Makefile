.PHONY: project test bench lint lock

BIN := .venv/bin

# The questions and the answer: make project, or make project args="--no-input project_name=Shop -o .."
project: .venv/.installed
	$(BIN)/cookiecutter "$(CURDIR)" $(args)

# Everything; args="-m 'not slow'" leaves the slow storeys out.
test: .venv/.installed
	$(BIN)/pytest --numprocesses auto --dist loadscope --no-loadscope-reorder $(args)

# All that benchmarks/RESULTS.md tells, for half an hour; args=--quick for a glance that writes nothing. Needs wrk.
bench: .venv/.installed
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(args)

# No cache, since cookiecutter would render the one that ruff leaves in the template.
lint: .venv/.installed
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy

# Lock the packages of the repository and of the template, and mark those of options; args=--upgrade takes the newest.
lock: .venv/.installed
	$(BIN)/python -m scripts.lock $(args)

.venv/.installed: requirements-dev.txt
	if command -v uv; then \
	    uv venv --quiet --allow-existing .venv && \
	    uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt; \
	else \
	    python3 -m venv .venv && \
	    $(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt; \
	fi
	touch $@
