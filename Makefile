# Two commands do everything on a fresh clone: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := data/demo
OUT := outputs/demo

.PHONY: demo demo-run test test-all test-random check clean-demo

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

$(VENV)/.installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.txt requirements-compare.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-compare.txt
	touch $@
