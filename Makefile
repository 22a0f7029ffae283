# Everything a developer needs, from nothing but make and Python 3.11 or newer:
#
#   make demo      environment, pinned dependencies, the orders example and its report
#   make test      the same environment with the development tools, and all tests
#   make lint      style and likely mistakes            make types    static types
#   make docs      write the generated documents anew   make goldens  write the examples' expected reports anew
#   make notebook  run the notebook anew                make lock     pin the dependencies anew
#   make bench     speed against other simulators       make clean    remove the environment
#
# The environment is .venv (VENV=elsewhere), made with the first suitable Python (PYTHON=this one). Stamp files in
# it say what has been installed, so a second run installs nothing and needs no network.

VENV ?= .venv
PYTHON ?=
PY := "$(VENV)/bin/python"
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet
TESTS ?=

.PHONY: demo test lint types docs goldens notebook bench lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.package
	@$(PY) -m slosim demo

test: $(VENV)/.developer
	$(PY) -m pytest -n auto $(TESTS)

lint: $(VENV)/.developer
	$(PY) -m ruff check .

types: $(VENV)/.developer
	$(PY) -m basedpyright --pythonpath $(PY)

docs: $(VENV)/.package
	$(PY) tools/documents.py

goldens: $(VENV)/.developer
	$(PY) -m pytest tests/test_examples.py --update-goldens

# Not among the documents: letters in its pictures differ by a shade where fonts do.
notebook: $(VENV)/.developer
	$(PY) tools/notebook.py

bench: $(VENV)/.peers
	$(PY) benchmarks/pipeline.py
	$(PY) benchmarks/memory.py

lock: $(VENV)/.developer
	$(PY) tools/lock.py

clean:
	rm -rf "$(VENV)"

# ---- the environment, one stamp per step -----------------------------------------------------------------------

$(VENV)/.python: tools/environment.sh
	@sh tools/environment.sh "$(VENV)" "$(PYTHON)"
	@touch "$@"

$(VENV)/.runtime: $(VENV)/.python requirements.txt
	@echo "Installing the pinned dependencies into $(VENV) (once; about half a minute) ..."
	@$(PIP) --require-hashes -r requirements.txt
	@touch "$@"

# The build backend is among the pinned dependencies: no isolated build, no download.
$(VENV)/.package: $(VENV)/.runtime pyproject.toml src/slosim/version.py
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch "$@"

$(VENV)/.developer: $(VENV)/.package requirements-dev.txt
	@echo "Installing the development tools into $(VENV) (once) ..."
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch "$@"

$(VENV)/.peers: $(VENV)/.package benchmarks/requirements.txt
	@echo "Installing the simulators to compare with into $(VENV) (once) ..."
	@$(PIP) -r benchmarks/requirements.txt
	@touch "$@"
