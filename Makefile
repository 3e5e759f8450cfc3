.DEFAULT_GOAL := help
.PHONY: help setup demo smoke test lint format lock clean accuracy train train-heads

PYTHON := .venv/bin/python

help: ## list the actions
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: ## install everything on Debian 12+ or Ubuntu 24.04+ (idempotent)
	@scripts/setup

demo: ## see it work: a synthetic city on RTSP, a worker that watches it, its console (ARGS="--for 60")
	@scripts/setup --demo
	@$(PYTHON) -m pipeline.cli demo $(ARGS)

SMOKE_KINDS := red_light,wrong_way,wrong_lane,stop_line,restricted_hours

smoke: ## the demo without a screen: succeeds once every expected kind was found, within 150 s, and shown
	@scripts/setup --demo
	@$(PYTHON) -m pipeline.cli demo --no-status --port 0 --console-port 0 --for 150 --expect $(SMOKE_KINDS) $(ARGS)

test: setup ## run the whole suite: in parallel first, then what measures time (ARGS="tests/rules -s": only that)
ifdef ARGS
	$(PYTHON) -m pytest $(ARGS)
else
	$(PYTHON) -m pytest -n 3 --dist worksteal -m "not serial"
	$(PYTHON) -m pytest -m serial
endif

lint: setup ## ruff, mypy --strict on pipeline/, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: setup ## put the code in form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

accuracy: setup ## measure the worker against the synthetic city (ARGS="--help" lists options)
	$(PYTHON) -m scripts.accuracy $(ARGS)

train: ## make the detector from nothing: pictures, training, ONNX, card; two hours on two cores (ARGS=--quick)
	@scripts/setup --train
	.venv-train/bin/python scripts/train_detector.py $(ARGS)

train-heads: ## make the model of riders' heads from nothing: tiles, training, ONNX, card; an hour and a half (ARGS=--quick)
	@scripts/setup --train
	.venv-train/bin/python scripts/train_heads.py $(ARGS)

lock: setup ## write deploy/*.lock anew (ARGS=--upgrade moves versions)
	scripts/lock $(ARGS)

clean: ## remove caches and what tests left
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build
