# Every target sets up what it needs: a virtual environment in $(VENV) with the locked versions of requirements/.
# Needed beforehand: Python 3.11 or newer as $(PYTHON).

PYTHON ?= python3
VENV ?= .venv
NEWEST_VENV ?= .venv-newest
OLDEST_VENV ?= .venv-oldest
# What versions of other packages change: files, stores, the command and whole analyses. Laws of arrays they do not.
ENDS ?= tests/store tests/formats tests/ingest tests/cli tests/execute tests/plot tests/analysis
# xgamma and Gammapy together, in versions of their own: Gammapy is in no lock file.
PEER_VENV ?= .venv-peer
PEER ?= gammapy
DEMO ?= demo
XGAMMA_KILLS ?= 100
# Test processes; one thread each, as two cores are all that some machines have.
JOBS ?= 2
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# Tests start other processes: each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
# The newest lock file that is not newer than the interpreter.
LOCK := $(shell $(PYTHON) requirements/choose.py 2>/dev/null)

.PHONY: help install test pictures test-all test-newest test-oldest test-wheel ends test-peer test-s3 \
	survival lint format docs images demo closure releases findings \
	bench bench-scale lock wheel clean

help:
	@echo "make demo         simulate observations into $(DEMO)/, analyse them to flux points and pictures"
	@echo "make closure      1,000 simulated sets through reduction and fit: the numbers of docs/closure.md; some minutes"
	@echo "make test         the tests (JOBS=$(JOBS) processes)"
	@echo "make test-all     the same with those that are long, all pictures and more examples, as CI runs them"
	@echo "make test-newest  the tests on the newest Python that is found, with the newest packages"
	@echo "make test-oldest  the tests with the oldest packages that pyproject.toml allows, on Python 3.11;"
	@echo "                  of both only what depends on versions: TESTS=\"$(ENDS)\""
	@echo "make test-wheel   build wheel and source distribution, install the wheel into an empty environment and use it"
	@echo "make survival     kills, races, full disks, damaged files: XGAMMA_KILLS=$(XGAMMA_KILLS) kills of each, a table"
	@echo "make test-peer    the tests with Gammapy, in an environment of their own ($(PEER_VENV))"
	@echo "make test-s3      the tests of object storage, and a table, on Ceph's radosgw; needs its Debian packages"
	@echo "                  radosgw ceph-mon ceph-osd ceph-common, not root"
	@echo "make releases     releases of other writers, each made in an environment of its own, through xgamma: a table;"
	@echo "                  WRITERS=\"pyirf_irfs v2dl3_release\" are some of them, WRITERS_ENVS=folder keeps environments"
	@echo "make findings     what libraries of this field do that one would not guess: whether it is still so"
	@echo "make pictures     draw the pictures anew that tests compare with: look at what git diff shows of them"
	@echo "make images       draw the pictures of the documentation anew; those of real sources need $$GAMMAPY_DATA"
	@echo "make lint         ruff and mypy"
	@echo "make format       let ruff mend what it can"
	@echo "make docs         the documentation into docs/_build/html; its tutorials are run"
	@echo "make bench        timings; PEER_PYTHON=/path/to/python puts Gammapy beside them, BEFORE=/path/to/src"
	@echo "                  another build beside fits of many parameters"
	@echo "make bench-scale  ten thousand runs: time and memory; 5 GB of disk in TMPDIR, some minutes"
	@echo "make lock         add what pyproject.toml asks for to requirements/; LOCK_ARGS=--upgrade resolves all anew"
	@echo "make wheel        source distribution and wheel into dist/"
	@echo "make clean        remove what the targets above made"

install: $(VENV)/.installed

$(VENV)/.locked: $(LOCK)
	@$(PYTHON) requirements/choose.py
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(LOCK)
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test: install
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long" $(PYTEST_ARGS) $(TESTS)

test-all: install
	XGAMMA_KILLS=25 XGAMMA_CHANGES=100 XGAMMA_SETS=80 XGAMMA_FUZZ_SECONDS=3 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal \
		--draw-all --hypothesis-profile thorough $(PYTEST_ARGS) $(TESTS)

test-newest:
	$(MAKE) test PYTHON="$$($(PYTHON) requirements/choose.py --newest)" VENV=$(NEWEST_VENV) \
		PYTEST_ARGS="--draw-all $(PYTEST_ARGS)"

# Old packages warn of newer ones beside them, which is no fault of anything here.
test-oldest:
	$(MAKE) test LOCK=requirements/oldest.txt VENV=$(OLDEST_VENV) PYTEST_ARGS="-W default --draw-all $(PYTEST_ARGS)"

ends:
	@echo $(ENDS)

test-wheel: install
	$(BIN)/python .ci/installed.py --python $(PYTHON) $(WHEEL_ARGS)

survival: install
	XGAMMA_KILLS=$(XGAMMA_KILLS) $(BIN)/python -m pytest -n 0 tests/survival $(PYTEST_ARGS)

$(PEER_VENV)/.installed: $(LOCK) pyproject.toml
	@$(PYTHON) requirements/choose.py
	$(PYTHON) -m venv --clear $(PEER_VENV)
	# Of regions it takes another version than the lock file; see pyproject.toml.
	sed 's/ \\$$//; /^ *--hash/d; /^regions==/d' $(LOCK) > $(PEER_VENV)/constraints.txt
	$(PEER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c $(PEER_VENV)/constraints.txt \
		pytest pytest-mpl hypothesis distributed "$(PEER)" --editable '.[gammapy]'
	@touch $@

test-peer: $(PEER_VENV)/.installed
	$(PEER_VENV)/bin/python -c "import gammapy; print('Gammapy', gammapy.__version__)"
	PEER_PYTHON=$(abspath $(PEER_VENV)/bin/python) $(PEER_VENV)/bin/python -m pytest \
		tests/bridges tests/cli/test_against_gammapy.py tests/formats/test_formats_peer.py tests/parity $(PYTEST_ARGS)

pictures: install
	$(BIN)/python -m pytest tests/plot/test_baselines.py -k stored --mpl-generate-path=tests/plot/baseline

images: install
	$(BIN)/python docs/draw_images.py

test-s3: install
	@$(BIN)/python tests/store/radosgw.py
	XGAMMA_TEST_S3=radosgw $(BIN)/python -m pytest -n 0 $(PYTEST_ARGS) \
	    tests/store/test_s3.py tests/store/test_object_storage.py tests/ingest/test_remote_release.py
	PYTHONPATH=tests $(BIN)/python tests/store/s3_table.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/python -m sphinx -W --keep-going -q -j $(JOBS) -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

demo: install
	$(BIN)/xgamma simulate $(DEMO)/release --overwrite
	$(BIN)/xgamma run examples/demo.yaml
	$(BIN)/xgamma run examples/demo-map.yaml
	$(BIN)/xgamma simulate $(DEMO)/field-release --plan examples/plans/field.yaml --overwrite
	$(BIN)/xgamma run examples/field.yaml

closure: install
	$(BIN)/python benchmarks/closure.py --folder $(DEMO)/closure $(BENCH_ARGS)

releases: install
	$(BIN)/python -W ignore writers/run.py $(if $(WRITERS_ENVS),--envs $(WRITERS_ENVS)) $(WRITERS)

findings:
	PYTHON=$(PYTHON) findings/run.sh $(FINDINGS)

bench: install
	$(BIN)/python benchmarks/tutorial.py $(if $(PEER_PYTHON),--peer $(PEER_PYTHON)) $(BENCH_ARGS)
	$(BIN)/python benchmarks/stages.py $(if $(PEER_PYTHON),--peer $(PEER_PYTHON)) $(BENCH_ARGS)
	$(BIN)/python benchmarks/fits.py $(if $(BEFORE),--before $(BEFORE)) $(BENCH_ARGS)

bench-scale: install
	$(BIN)/python benchmarks/scale.py $(if $(PEER_PYTHON),--peer $(PEER_PYTHON)) $(BENCH_ARGS)

lock:
	$(PYTHON) requirements/lock.py $(LOCK_ARGS)

wheel: install
	rm -rf build dist
	$(BIN)/python -m hatchling build -d dist

clean:
	rm -rf $(VENV) $(NEWEST_VENV) $(OLDEST_VENV) $(PEER_VENV) .venv-lock $(DEMO) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
