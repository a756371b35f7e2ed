# Two commands do everything on a fresh clone: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := data/demo
OUT := outputs/demo

.PHONY: demo demo-run test test-all test-random check lock clean-demo

demo: demo-run  ## set up, draw the world, caption, train, evaluate, open the dashboard
	$(BIN)/streamlit run dashboard/Home.py

demo-run: $(VENV)/.installed  ## the same without the dashboard
	$(BIN)/python jobs/make_demo.py --output_dir $(DEMO) --resume
	$(BIN)/python main.py --mode generate_captions --train_csv $(DEMO)/train.csv --val_csv $(DEMO)/val.csv --test_csv $(DEMO)/test.csv --output_dir $(OUT)/captions --overwrite
	$(BIN)/python main.py --mode evaluate --test_csv $(DEMO)/test.csv --image_dir $(DEMO)/images --model_name $(DEMO)/model --candidates_file $(DEMO)/candidates.json --output_dir $(OUT)/evaluation_untrained --run_name untrained --resume
	$(BIN)/python main.py --mode train --recipe demo --train_csv $(OUT)/captions/train_captions.csv --val_csv $(OUT)/captions/val_captions.csv --image_dir $(DEMO)/images --model_name $(DEMO)/model --output_dir $(OUT)/training --run_name demo --resume
	$(BIN)/python main.py --mode evaluate --test_csv $(DEMO)/test.csv --image_dir $(DEMO)/images --checkpoint_path $(OUT)/training/best_model.pt --candidates_file $(DEMO)/candidates.json --output_dir $(OUT)/evaluation --run_name trained --resume

clean-demo:  ## remove the drawn world and what was made of it; the store keeps its runs
	rm -rf $(DEMO) $(OUT)

test: $(VENV)/.installed-test  ## what a contributor needs
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -rs -m "not slow"

test-all: $(VENV)/.installed-test  ## every test: also random kills, full disks, several processes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -rs

# Draws other inputs in each run, and more of them; a failure prints the input, which becomes an
# @example of its test. TESTS names the files.
TESTS ?= $(shell grep -rl "from hypothesis" tests --include="test_*.py")
test-random: $(VENV)/.installed-test  ## a longer random search in the tests that draw their inputs
	HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -q -n 2 --dist loadfile $(TESTS)

check: $(VENV)/.installed-test  ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every package is checked against its hash where the platform has those of requirements.lock: Linux
# x86-64, Python 3.11, torch's CPU build. Elsewhere the pins of requirements.txt decide.
INSTALL := -m pip install --quiet --disable-pip-version-check
$(VENV)/.installed: requirements.txt requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	if $(BIN)/python $(INSTALL) --dry-run --no-deps torch==2.13.0+cpu 2>/dev/null; then \
	  $(BIN)/python $(INSTALL) --require-hashes -r requirements.lock; \
	else \
	  echo "requirements.lock is for Linux x86-64, Python 3.11, torch's CPU build: installing without hashes"; \
	fi
	$(BIN)/python $(INSTALL) -r requirements.txt
	touch $@

# With pip-tools and cyclonedx-bom installed apart from the project: make lock TOOLS=FOLDER_OF_PROGRAMS
lock: requirements.txt $(VENV)/.installed  ## requirements.lock and sbom.cdx.json from requirements.txt
	grep -v '^-e' requirements.txt | $(TOOLS)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe --no-annotate --no-header --output-file requirements.lock -
	$(TOOLS)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json $(BIN)/python

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.txt requirements-compare.txt
	$(BIN)/python $(INSTALL) -r requirements-test.txt
	$(BIN)/python $(INSTALL) --no-deps -r requirements-compare.txt
	touch $@
