from __future__ import annotations

import logging
from pathlib import Path

import pytest

from local_workspace.bundle import yaml_file
from local_workspace.bundle.errors import (
    BundleError,
    BundleNotFound,
    DuplicateKey,
    InvalidSetting,
    InvalidYaml,
    MergeConflict,
    MissingFile,
    UnsupportedSetting,
)
from local_workspace.bundle.load import load
from local_workspace.bundle.located import place

from .conftest import Write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("2026-01-31", "2026-01-31"),
        ("12:30", "12:30"),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("17.3.x-scala2.13", "17.3.x-scala2.13"),
        ("'5'", "5"),
        ("", None),
        ("~", None),
        ("null", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(write: Write, text: str, value: object) -> None:
    root = write({"x.yml": f"key: {text}\n"})
    read = yaml_file.read(root, "x.yml")["key"]
    assert (read, type(read) is type(value) or isinstance(read, str)) == (value, True)


def test_texts_know_where_they_stand_and_merge_keys_work(write: Write) -> None:
    root = write({"a/x.yml": "base: &b {k: v, l: w}\nother:\n  <<: *b\n  l: x\n"})
    read = yaml_file.read(root, "a/x.yml")
    assert read["other"] == {"k": "v", "l": "x"}
    assert place(read["other"]["l"]) == "a/x.yml:4: "


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a: [1\nb: 2\n", InvalidYaml, "x.yml:2: not valid YAML: expected ',' or ']'"),
        ("a: 1\n b: 2\n", InvalidYaml, "x.yml:2: not valid YAML: mapping values"),
        ("- 1\n", InvalidYaml, "x.yml: a bundle file must hold a mapping"),
        ("a: !secret 1\n", InvalidYaml, "x.yml:1: not valid YAML: could not determine"),
        ("[1]: 2\n", InvalidYaml, "x.yml:1: not valid YAML: a key must be text"),
        ("a: &a [*a]\n", InvalidYaml, "not valid YAML"),
        ("a: \x00\n", InvalidYaml, "not valid YAML"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(
    write: Write, text: str, error: type[BundleError], message: str
) -> None:
    root = write({"x.yml": text})
    with pytest.raises(error) as refusal:
        yaml_file.read(root, "x.yml")
    assert message in str(refusal.value)


def test_included_files_come_in_the_order_of_patterns_and_names(write: Write) -> None:
    root = write(
        {
            "databricks.yml": """
                bundle: {name: b}
                include: [z.yml, "r/*.yml", "r/a.yml", "none/*.yml"]
                variables: {v: {default: root}}
            """,
            "z.yml": "variables: {v: {default: z}}",
            "r/b.yml": "variables: {v: {default: b}}\nresources: {jobs: {j: {name: x}}}",
            "r/a.yml": "variables: {v: {description: d}, w: }",
        }
    )
    loaded = load(root)
    assert loaded.config["include"] == ["z.yml", "r/a.yml", "r/b.yml"]
    assert loaded.config["variables"] == {"v": {"default": "b", "description": "d"}, "w": {}}
    assert loaded.job_files == {"j": "r/b.yml"}


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, BundleNotFound, "has no databricks.yml"),
        (
            {"databricks.yml": "", "bundle.yml": ""},
            BundleNotFound,
            "has databricks.yml and bundle.yml; keep one of them.",
        ),
        (
            {"databricks.yml": "include: [no.yml]"},
            MissingFile,
            "databricks.yml: include names no.yml, which does not exist.",
        ),
        (
            {"databricks.yml": "include: ['*.txt']", "x.txt": ""},
            InvalidSetting,
            "databricks.yml: include names x.txt, which is not YAML or JSON.",
        ),
        (
            {"databricks.yml": "resources:\n  pipelines: {p: {name: x}}"},
            UnsupportedSetting,
            "resources.pipelines is not supported by the local workspace (jobs, schemas, volumes are).",
        ),
        (
            {"databricks.yml": "targets:\n  t:\n    resources: {apps: {}}"},
            UnsupportedSetting,
            "targets.t.resources.apps is not supported",
        ),
        (
            {"databricks.yml": "experimental: {scripts: {}}"},
            UnsupportedSetting,
            "databricks.yml: experimental is not supported by the local deployer.",
        ),
        (
            {"databricks.yml": "resources:\n  jobs:\n    j:\n      timeout_seconds: soon\n"},
            InvalidSetting,
            "databricks.yml:4: resources.jobs.j.timeout_seconds is 'soon' where a whole number is needed.",
        ),
        (
            {"databricks.yml": "resources: {jobs: {j: {tasks: {task_key: a}}}}"},
            InvalidSetting,
            "resources.jobs.j.tasks is {'task_key': 'a'} where a list is needed.",
        ),
        (
            {"databricks.yml": "targets: [a]"},
            InvalidSetting,
            "databricks.yml: targets is ['a'] where a mapping is needed.",
        ),
        (
            {
                "databricks.yml": "include: [a.yml]\nresources: {jobs: {x: {name: x}}}",
                "a.yml": "resources: {schemas: {x: {name: x, catalog_name: y}}}",
            },
            DuplicateKey,
            "a.yml: resources.schemas.x has the key of resources.jobs.x in databricks.yml",
        ),
        (
            {
                "databricks.yml": "include: [a.yml]\nvariables: {x: {default: [1]}}",
                "a.yml": "variables: {x: {default: text}}",
            },
            MergeConflict,
            "a.yml:1: variables.x.default is a list in one place and the value 'text' in another",
        ),
    ],
)
def test_mistakes_are_named(
    write: Write, files: dict[str, str], error: type[BundleError], message: str
) -> None:
    with pytest.raises(error) as refusal:
        load(write(files))
    assert message in str(refusal.value)


def test_scalars_become_what_the_api_wants(root: Path, write: Write) -> None:
    write(
        {
            "databricks.yml": """
                resources:
                  jobs:
                    j:
                      max_concurrent_runs: "3"
                      tags: {a: 1, b: true, c: 1.0, d: 1.25}
                      email_notifications: {no_alert_for_skipped_runs: yes}
            """
        }
    )
    job = load(root).config["resources"]["jobs"]["j"]
    assert job == {
        "max_concurrent_runs": 3,
        "tags": {"a": "1", "b": "true", "c": "1", "d": "1.25"},
        "email_notifications": {"no_alert_for_skipped_runs": True},
    }


def test_an_unknown_field_is_dropped_with_a_warning(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    root = write({"databricks.yml": "resources: {jobs: {j: {nmae: x, name: y}}}"})
    with caplog.at_level(logging.WARNING):
        assert load(root).config["resources"]["jobs"]["j"] == {"name": "y"}
    assert caplog.messages == ["databricks.yml: unknown field resources.jobs.j.nmae is ignored"]
