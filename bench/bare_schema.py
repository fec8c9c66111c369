"""The peer of `validate` for invalid manifests: jsonschema, behind ruamel.yaml's C parser.

`python -m bench.bare_schema SCHEMA FILE` prints each error, without its line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator
from ruamel.yaml import YAML


def main() -> None:
    schema = json.loads(Path(sys.argv[1]).read_bytes())
    data = YAML(typ="safe").load(Path(sys.argv[2]))
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(data)
    ]
    print("\n".join(errors))
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
