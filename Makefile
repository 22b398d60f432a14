# make demo   run a real binary under the ostoo policy and print its audit
# make test   everything the project promises, tested
# make test-races   the tests that exchange names while a run begins, 300 times each
# make lint   ruff and mypy
# Each does all of its own set-up, as root or as an ordinary user, and touches nothing outside this directory.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CORE_SOURCES := setup.py pyproject.toml sandbox/_kernel/build.py $(filter-out %/_core.c,$(wildcard sandbox/_kernel/*.[ch])) $(wildcard launcher/*)

.PHONY: demo test test-races lint guests clean

demo: $(VENV)/.guests-ready
	@$(BIN)/python guests/build.py spawn
	@rm -f .build/demo.jsonl; mkdir -p .build
	$(BIN)/run-untrusted-binary -p ostoo --audit .build/demo.jsonl -- guests/build/musl/spawn
	@echo
	$(BIN)/sandboxctl audit show .build/demo.jsonl
	@$(BIN)/sandboxctl audit verify .build/demo.jsonl

test: $(VENV)/.test-ready $(VENV)/.guests-ready
	@$(BIN)/python guests/build.py
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 $(PYTEST_OPTIONS)

test-races:
	RACE_TRIES=300 $(MAKE) test PYTEST_OPTIONS="-m race $(PYTEST_OPTIONS)"

lint: $(VENV)/.lint-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

guests: $(VENV)/.guests-ready
	$(BIN)/python guests/build.py -v

$(VENV)/.base-ready: $(CORE_SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=")'
	@$(PYTHON) -c 'import os, sys, sysconfig; p = sysconfig.get_paths()["include"]; sys.exit(not os.path.exists(p + "/Python.h") and f"Python.h is missing ({p}); install the Python headers, such as python3-dev")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (once)"
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

$(VENV)/.guests-ready: $(VENV)/.base-ready
	@$(BIN)/python -m pip install -qq --editable '.[guests]'
	@touch $@

$(VENV)/.test-ready: $(VENV)/.base-ready
	@$(BIN)/python -m pip install -qq --editable '.[test]'
	@touch $@

$(VENV)/.lint-ready: $(VENV)/.base-ready
	@$(BIN)/python -m pip install -qq --editable '.[test,lint]'
	@touch $@

clean:
	rm -rf $(VENV) .build guests/build build dist *.egg-info sandbox/_kernel/_core.*
