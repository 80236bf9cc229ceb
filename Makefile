# gigaxas: make help lists what can be done here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= sinter.yaml
export CONFIG
# A bare name that is no file here is looked up in configs/. The shell knows names with spaces, make does not.
CONFIG_PATH = "$$(case "$$CONFIG" in */*) ;; *) test -e "$$CONFIG" || printf configs/ ;; esac; printf %s "$$CONFIG")"

# Verbs of gigaxas: those that take the configuration CONFIG, and those that take what ARGS says.
VERBS = plan check simulate ingest watch sites classify phases report verify
FILE_VERBS = info init references identify

.PHONY: help install $(VERBS) $(FILE_VERBS) measured docs test test-all mutate lint format verification bench gigapixel \
	dist lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "gigaxas needs Python 3.11 or later; set PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed  ## make .venv with the locked dependencies

info:  ## say what is in the files of ARGS="FILE", and how they are read
init:  ## write a configuration for the files of ARGS="IMAGES --references FOLDER"
references:  ## show what the reference spectra of ARGS="FOLDER" cover
plan:  ## plan the measurement of CONFIG before any beam
check:  ## say everything that is wrong with CONFIG before anything runs
simulate:  ## make the simulated cube of CONFIG
ingest:  ## make the cube of CONFIG from raw counts, or from a stack
watch:  ## make the map of CONFIG while an instrument writes its files
sites:  ## make the sites of CONFIG and say how far to trust them
classify:  ## make the phase map of CONFIG (default sinter.yaml)
phases:  ## find the components in the finished map of CONFIG
report:  ## write the report of CONFIG again; ARGS="--tiff" writes its maps too
identify:  ## name spectra: ARGS="SPECTRA --library PATH"
verify:  ## prove the method on scenes like CONFIG; ARGS="--inject" in its cube

# What ARGS says reaches the shell as it was typed: $(value) leaves its dollar signs alone.
$(VERBS): $(VENV)/.installed
	@$(BIN)/gigaxas $@ $(CONFIG_PATH) $(value ARGS)

$(FILE_VERBS): $(VENV)/.installed
	@$(BIN)/gigaxas $@ $(value ARGS)

measured: $(VENV)/.installed  ## fetch four measured spectra through pip, and map an image that is made of them
	@$(BIN)/python scripts/measured_spectra.py
	@$(BIN)/gigaxas classify configs/measured.yaml $(value ARGS)

# A file goes to one worker, since its tests share finished runs, and the longest start first (tests/conftest.py).
XDIST = -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.installed-dev  ## the tests, within 9 minutes on 2 cores
	$(BIN)/python -m pytest $(XDIST) -m "not slow and not bench"

test-all: $(VENV)/.installed-dev  ## the tests, long ones too
	$(BIN)/python -m pytest $(XDIST) -m "not bench"

mutate: $(VENV)/.installed-dev  ## break the code on purpose and see whether the tests notice; ROOM=spatial for one list
	$(BIN)/python scripts/mutate.py $(if $(ROOM),--room $(ROOM)) --jobs 2

lint: $(VENV)/.installed-dev  ## ruff and mypy, and whether every mutation still applies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/mutate.py --check

format: $(VENV)/.installed-dev  ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev  ## the website, to runs/site/index.html; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml

verification: $(VENV)/.installed-dev  ## the verification study of the project; writes docs/verification*.md with their figures
	$(BIN)/gigaxas verify configs/sinter.yaml --to docs
	$(BIN)/python scripts/known_noise.py --write docs/verification.md
	if test -d "$${GIGAXAS_STANDARDS:-../shared/data/fe_k_standards}"; then \
	  $(BIN)/gigaxas verify configs/standards.yaml --to docs --page verification-measured; fi

bench: $(VENV)/.installed-dev  ## measure speed; writes docs/benchmarks
	$(BIN)/python scripts/bench_nearest.py
	$(BIN)/python scripts/bench_pipeline.py runs/bench
	$(BIN)/python scripts/bench_storage.py runs/bench-storage
	$(BIN)/python scripts/bench_sites.py --write docs/benchmarks/sites.md
	$(BIN)/python scripts/bench_search.py --write docs/benchmarks/search.md
	$(BIN)/python scripts/bench_ingest.py --write docs/benchmarks/ingest.md
	$(BIN)/python scripts/bench_phases.py --write docs/benchmarks/phases.md
	$(BIN)/python scripts/bench_scale.py runs/bench-scale
	@if command -v valgrind > /dev/null; then $(BIN)/python scripts/bench_instructions.py; \
	else echo "valgrind is not installed: no instructions are counted"; fi
	$(BIN)/python scripts/bench_page.py

gigapixel: $(VENV)/.installed  ## classify 450 million pixels; writes docs/benchmarks/gigapixel.md
	$(BIN)/python scripts/gigapixel.py runs/gigapixel

dist: $(VENV)/.installed-dev  ## build sdist and wheel into dist/, check them, install and run them in a clean environment
	$(BIN)/python scripts/release.py

LOCK = uv pip compile pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet

lock:  ## renew the lock files (needs uv)
	$(LOCK) --extra dev --extra docs --extra formats --output-file requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock

viewer-library:  ## take the page's library and axe-core out of their npm packages (needs npm)
	$(PYTHON) scripts/vendor_viewer.py

clean:  ## remove .venv, runs and caches
	rm -rf $(VENV) runs dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks *.egg-info
	find pipeline tests scripts -name __pycache__ -prune -exec rm -rf {} +
