# `make run` and `make test` prepare .venv by themselves; both work from a fresh clone with Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
DATA ?= .data
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Everything that a normal (not editable) install copies: a change of any of it installs the package again.
SOURCES := setup.cfg setup.py pyproject.toml MANIFEST.in README.rst \
	$(shell find cybertemp_imap schema twisted -name '*.py' -o -name '*.sql' -o -name '*.xml' -o -name '*.css' -o -name py.typed)
LOCAL := --no-deps --no-build-isolation --force-reinstall

.DELETE_ON_ERROR:
.PHONY: run test bench soak fuzz docs news lint format types check wheel sdist clean

run: $(VENV)/.installed-embedded
	@mkdir -p "$(DATA)"
	@echo "Starting; the log is $(DATA)/server.log, Ctrl-C stops."
	@exec $(BIN)/twistd --nodaemon --pidfile= --logfile="$(DATA)/server.log" \
		cybertemp-imap --embedded --demo --data-dir="$(DATA)"

# `python -m twisted.trial`: plain `trial test` would find the tests of CPython itself.
test: $(VENV)/.installed-test
	$(BIN)/python -m twisted.trial $(TRIAL) test

# Beside Dovecot, as root, and other servers; BENCH="--only flags --profile" and more: see docs/bench.rst.
bench: $(VENV)/.installed-bench
	$(BIN)/python -m bench $(BENCH)

# Into build/docs/; a warning is an error.
docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -q -W --keep-going -E -d build/doctrees docs build/docs

# Sessions at work while PostgreSQL fails every few seconds; SOAK="--minutes 1 --sessions 50" and more.
soak: $(VENV)/.installed-test
	$(BIN)/python -m bench.soak $(SOAK)

# Every target for five minutes; FUZZ="reader mime --seconds 3600 --keep" and more: see docs/fuzzing.rst.
fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python -m fuzz $(FUZZ)

# The section that a release makes of newsfragments/: shown, or with VERSION=0.3.0 put into NEWS.rst.
news: $(VENV)/.installed-dev
	$(BIN)/towncrier build $(if $(VERSION),--version $(VERSION) --yes,--version next --draft)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

check: lint types test

wheel: $(VENV)/.installed-dev
	rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null

sdist: $(VENV)/.installed-dev
	$(BIN)/python -m build --sdist --no-isolation --outdir dist . >/dev/null

clean:
	rm -rf build dist *.egg-info $(VENV) _trial_temp* .mypy_cache .ruff_cache .hypothesis

$(VENV)/.created:
	@echo "Preparing $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install "setuptools>=64" wheel
	@touch $@

# The dependencies of one extra, named in setup.cfg; installed again when that file changes.
$(VENV)/.requirements-%: $(VENV)/.created setup.cfg setup.py
	@echo "Installing what cybertemp-imap[$*] needs ..."
	@$(PIP) install --no-build-isolation ".[$*]"
	@touch $@

# The package itself, without looking at its dependencies: quick.
$(VENV)/.installed-%: $(VENV)/.requirements-% $(SOURCES)
	@rm -rf build
	@$(PIP) install $(LOCAL) .
	@rm -rf build *.egg-info
	@touch $@

.SECONDARY:
