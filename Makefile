# demo, test, lint, bench: each sets up its own virtual environment first.
#
#   make demo [CHECKPOINT=file] [DETECTOR=file.onnx|bundle] [FAMILY=scrfd] [PHOTO=file]
#   make test [ARGS='-k gallery']
#   make lint
#   make bench
#   make matrix
#   make peers

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
ARGS ?=
FAMILY ?= scrfd
# Real files where a checkout has them beside it; without them the demo makes its own.
ASSETS = ../shared/assets
CHECKPOINT ?= $(wildcard $(ASSETS)/weights/mobilefacenet_flat_112x112_512d.pth)
DETECTOR ?= $(wildcard $(ASSETS)/weights/scrfd_500m_kps.onnx)
PHOTO ?= $(wildcard $(ASSETS)/images/groups/friends_6_faces.jpg)
YUNET ?= $(wildcard $(ASSETS)/weights/yunet_n_dynamic.onnx)
ONE_FACE ?= $(wildcard $(ASSETS)/images/pairs/adaface_1.jpeg)
OUTPUT ?= out

INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt
PACKAGE = setup.cfg pyproject.toml constraints.txt

.PHONY: demo test lint bench matrix peers clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(PACKAGE) | $(BIN)/python
	@echo "installing faceport with its export tools into $(VENV) (once, some minutes) ..."
	$(INSTALL) -e '.[cpu,export,demo]'
	@touch $@

$(VENV)/dev.stamp: $(PACKAGE) | $(BIN)/python
	@echo "installing faceport with its development tools into $(VENV) (once, some minutes) ..."
	$(INSTALL) -e '.[dev]'
	@# Without what it depends on: that is torchvision, a second OpenCV, and hundreds of megabytes.
	$(INSTALL) --no-deps ultralytics
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp
	@$(BIN)/python examples/demo.py --output '$(OUTPUT)/demo' --family '$(FAMILY)' \
	  $(if $(CHECKPOINT),--checkpoint '$(CHECKPOINT)') \
	  $(if $(DETECTOR),--detector '$(DETECTOR)') \
	  $(if $(PHOTO),--photo '$(PHOTO)')

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/dev.stamp
	$(BIN)/python -m faceport.benchmarks --checkpoint '$(CHECKPOINT)' --detector '$(DETECTOR)' \
	  --family '$(FAMILY)' --photo '$(PHOTO)' $(ARGS)

# Every family in every format and precision; some minutes.
matrix: $(VENV)/dev.stamp
	$(BIN)/python -m faceport.benchmarks.matrix --shared ../shared --output docs/matrix.md $(ARGS)

# insightface and OpenCV, in an environment of their own, on the same files; about ten minutes.
peers: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/peers/compare.py --checkpoint '$(CHECKPOINT)' --detector '$(DETECTOR)' \
	  --yunet '$(YUNET)' --photo '$(PHOTO)' --one-face '$(ONE_FACE)' --output '$(OUTPUT)/peers.json' $(ARGS)

clean:
	rm -rf $(VENV) $(OUTPUT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
