# Two commands do everything: `make demo` installs and runs the main job, `make test` installs and runs the tests.
PYTEST = .venv/bin/python -m pytest
SCENARIOS ?= 01 02 03 05 06 07 08 22

.PHONY: demo demo-local binaries test cover slow lint format bench conformance conformance-local chaos faults setup clean

demo:
	@scripts/setup report
	@.venv/bin/lowtide demo
	@.venv/bin/lowtide demo --local --if-built

# The same example in a real control plane on this machine: up, ten GPU pods, status, down, and the line that proves that nothing is left.
demo-local: binaries
	@.venv/bin/lowtide demo --local

setup:
	@scripts/setup report,local,dev

# The programs of a control plane, once: about ten minutes with Go, then they are in the cache. Tests that need them are
# skipped where they are missing. Without Go, upstream's releases are downloaded.
binaries: setup
	@.venv/bin/lowtide local build || .venv/bin/lowtide local build --download

# Real control planes share two cores with all other tests: what failed beside others is tried once more, alone.
AGAIN = $(PYTEST) -q --last-failed --last-failed-no-failures none

test: setup
	@{ $(PYTEST) -n 2 -m "not slow" -q $(COVER) || $(AGAIN) -m "not slow"; } $(if $(COVER),&& .venv/bin/coverage report --format=total)

# The same tests, watched: fails below the coverage that pyproject.toml asks for.
cover:
	@$(MAKE) --no-print-directory test COVER="--cov --cov-report=term:skip-covered"

slow: setup
	@scripts/setup-checkov
	@$(PYTEST) -n 3 -m slow -q || $(AGAIN) -m slow

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

bench: setup
	@.venv/bin/python benchmarks/run.py

conformance: setup
	@.venv/bin/python -m tests.conformance $(SCENARIOS)

conformance-local: binaries
	@.venv/bin/python -m tests.conformance_local $(VARIANTS)

# SIGKILL at every call of `up` and `down`: about two hours, and broken off it goes on. SAMPLE=20 takes so many, drawn by the commit.
chaos: binaries
	@.venv/bin/python -m tests.chaos $(if $(SAMPLE),--sample $(SAMPLE))

# Every fault of the embedded AWS at every call of `up` and `down`.
faults: binaries
	@.venv/bin/python -m tests.chaos faults $(if $(SAMPLE),--sample $(SAMPLE))

clean:
	rm -rf .venv .venv-checkov .mypy_cache .ruff_cache .pytest_cache .coverage build dist
