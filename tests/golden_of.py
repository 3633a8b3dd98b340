"""Prints what a pattern's variants are rendered to, as JSON: each content once, by its digest.

`golden_diff` runs it with the code and the tests of another commit, so it uses what these have had
for long.
"""

import hashlib
import json
import sys

from golden import golden_variants
from rendering import kept_from, template

from sls_patterns_cli import catalog

contents: dict[str, str] = {}
variants: dict[str, dict[str, str]] = {}
for variant in golden_variants(catalog.pattern(sys.argv[1])):
    project = kept_from(template(), **variant.answers)
    files = variants[variant.options] = {}
    for file in sorted(project.rglob("*")):
        if file.is_file():
            text = file.read_bytes().decode()
            digest = hashlib.sha256(text.encode()).hexdigest()
            files[file.relative_to(project).as_posix()] = digest
            contents[digest] = text
json.dump({"variants": variants, "contents": contents}, sys.stdout)
