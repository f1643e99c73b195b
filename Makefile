# Every target makes the environment it needs on first use. `make` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,$(shell command -v $(name) 2>/dev/null)))
VENV   ?= .venv
PY     := $(VENV)/bin/python
HSI    := $(VENV)/bin/hsimul3r
ARGS   ?=
SCENE  ?=
SPLIT  ?=
CASES  ?=
ROWS   ?=
VIEWS  ?=
SEEDS  ?=
WORKERS ?=
FILE   ?=
SYSTEM_PACKAGES := libegl1 libegl-mesa0 libgl1-mesa-dri libgl1 libglib2.0-0

export MUJOCO_GL ?= egl
export HF_HUB_OFFLINE ?= 1

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.ready  ## make the environment (done by every other target on first use)

$(VENV)/.system:
	@mkdir -p $(VENV)
	@if ! command -v dpkg >/dev/null; then \
	  echo "This is no Debian or Ubuntu: provide OpenGL with EGL (Mesa) yourself if videos cannot be rendered."; \
	elif dpkg -s $(SYSTEM_PACKAGES) >/dev/null 2>&1; then true; \
	elif [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null; \
	elif sudo -n true 2>/dev/null; then \
	  sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null; \
	else echo "System packages are missing; run once: sudo apt-get install -y $(SYSTEM_PACKAGES)"; exit 1; fi
	@touch $@

$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/.system
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: sudo apt-get install -y python3 python3-venv"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { echo "venv is missing: sudo apt-get install -y python3-venv"; exit 1; }
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet $$(grep '^torch==' constraints.txt)
	$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## set up, then photos to verdict on a shipped sample, with report and video
	$(HSI) demo $(or $(SCENE),foot_stool) $(ARGS)

reconstruct: setup  ## photos to an aligned scene: SCENE=<sample or folder of photos>
	$(HSI) reconstruct "$(or $(SCENE),$(error SCENE is missing: make reconstruct SCENE=<sample or folder of photos>))" $(ARGS)

simulate: setup  ## the scene under physics: video, verdict, report [SCENE=, default: last run]
	$(HSI) simulate $(if $(SCENE),"$(SCENE)") $(ARGS)

view: setup  ## look at a run in the browser [SCENE=]
	$(HSI) view $(if $(SCENE),"$(SCENE)") $(ARGS)

report: setup  ## write the report of a run anew [SCENE=]
	$(HSI) report $(if $(SCENE),"$(SCENE)") $(ARGS)

export: setup  ## motion as SMPL-X npz, scene as MJCF [SCENE=]
	$(HSI) export $(if $(SCENE),"$(SCENE)") $(ARGS)

evaluate: setup  ## the paper's tables on HSIBench [SPLIT= CASES= ROWS= VIEWS= SEEDS= WORKERS=]; of one run: SCENE=
	$(if $(SCENE),$(HSI) evaluate "$(SCENE)" $(ARGS),$(HSI) tables $(if $(SPLIT),--split $(SPLIT)) \
	  $(if $(CASES),--cases $(CASES)) $(if $(ROWS),--rows $(ROWS)) $(if $(VIEWS),--views $(VIEWS)) \
	  $(if $(SEEDS),--seeds $(SEEDS)) $(if $(WORKERS),--workers $(WORKERS)) $(ARGS))

import-motion: setup  ## a captured motion (.amc, AMASS .npz) to a scene with the furniture it needs: FILE=
	$(HSI) import-motion "$(or $(FILE),$(error FILE is missing: make import-motion FILE=<motion>))" $(ARGS)

export-g1: setup  ## the motion as a Unitree G1's, with its scene, in all formats [SCENE=]
	$(HSI) export-g1 $(if $(SCENE),"$(SCENE)") $(ARGS)

check-robot: setup  ## does the robot keep up with its motion under its motors' limits? [SCENE=]
	$(HSI) check-robot $(if $(SCENE),"$(SCENE)") $(ARGS)

dsro-finetune: setup  ## tune the generator on simulation feedback: collect, train, compare
	$(HSI) dsro-finetune $(ARGS)

train-policy: setup  ## a policy by reinforcement learning from what simulate solved [SCENE=]
	$(HSI) train-policy $(if $(SCENE),"$(SCENE)") $(ARGS)

weights: setup  ## the models that you can bring: licences, files, which are here
	$(HSI) weights $(ARGS)

hsibench: setup  ## build the benchmark: 24 cases, 4 photos each [ARGS=--all: 300 cases; ARGS="--verify 3": again, bit by bit]
	$(HSI) hsibench $(ARGS)

doctor: setup  ## check the machine
	$(HSI) doctor

test: setup  ## the whole test suite
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile $(ARGS)

lint: setup  ## ruff and pyright
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/pyright

clean:  ## remove the environment (runs stay)
	rm -rf $(VENV)

.PHONY: help setup demo reconstruct import-motion simulate export-g1 check-robot dsro-finetune train-policy view report export evaluate hsibench weights doctor test lint clean
