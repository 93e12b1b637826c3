"""Writes schemas as kubeconform reads them: ``python -m tests.schemas OUT CRD...``, in the environment of make schemas.

Those of Kubernetes come with the package kubernetes-validate, and refer to each other by a path of their own. Those of
custom resources stand in the definitions that their makers publish, which allow unknown fields as OpenAPI does.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

KUBERNETES: Final = "1.34.0"
"""A minor version that is still supported, and old enough that most clusters are not behind it."""
_REFERRED_TO: Final = "/api/_definitions.json"


def main() -> None:
    """Write all schemas."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    packaged = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
    for file in packaged.iterdir():
        text = file.read_text(encoding="utf-8").replace(f'"{_REFERRED_TO}', '"_definitions.json')
        schema = json.loads(text)
        schema.pop("$id", None)  # references would be resolved against it
        (out / file.name).write_text(json.dumps(schema), encoding="utf-8")
    for path in sys.argv[2:]:
        definition = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["spec"]
        group, kind = definition["group"].split(".")[0], definition["names"]["kind"].lower()
        for version in definition["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            name = f"{kind}-{group}-{version['name']}.json"
            (out / name).write_text(json.dumps(schema), encoding="utf-8")


def closed(schema: Any) -> Any:
    """Return a schema of OpenAPI that refuses fields that it does not name, as Kubernetes does where it is strict."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", bool(made.get("x-kubernetes-preserve-unknown-fields")))
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("type", None)
    return made


if __name__ == "__main__":
    main()
