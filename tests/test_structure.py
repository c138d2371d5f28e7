"""The layers of the package, and the modules that each command may import."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hldctl

PACKAGE = Path(hldctl.__file__).parent
LAYERS = [
    *(
        "version",
        "errors",
        "states",
        "durations",
        "contract",
        "settings",
        "private_files",
        "paths",
        "system",
        "worktrees",
        "rehearsal",
        "claude",
        "store",
    ),
    *(
        "protocol",
        "config",
        "user_commands",
        "permission_hook",
        "ingest",
        "supervisor",
        "sessions",
        "engines",
        "fleet",
        "doctor",
        "client",
        "mcp_server",
        "cli",
    ),
]
"""From the lowest up. claude and store do not import each other."""
CLI_LAYERS = [
    *(
        "host_option",
        "standard_streams",
        "output",
        "piped_text",
        "resumption",
        "params",
        "help_text",
        "click_classes",
        "synonyms",
        "mistakes",
        "damaged_database",
    ),
    *(
        "terminal",
        "launch_params",
        "launch_options",
        "render",
        "elsewhere",
        "export",
        "views",
        "completion",
        "command_line",
        "placing",
        "commands",
        "app",
    ),
    *("remote", "intents", "main"),
]
MAX_MODULES = 26
"""Modules in one folder."""

MODULES = {
    ".".join(("hldctl", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imports(module: str) -> set[str]:
    """Return the modules of hldctl that a module imports, including imports within functions."""
    modules = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hldctl"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules |= {name if name in MODULES else str(node.module) for name in names}
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name in MODULES}
    return modules


def layer(module: str, layers: list[str], depth: int) -> int:
    """Return the number of a module's layer. `__init__` and `__main__` of the package are above all layers."""
    parts = module.split(".")
    return layers.index(parts[depth]) if len(parts) > depth and parts[depth] in layers else len(layers)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    own = layer(module, LAYERS, 1)
    above = [name for name in imports(module) if name != "hldctl" and layer(name, LAYERS, 1) > own]
    if module.startswith("hldctl.cli."):
        own = layer(module, CLI_LAYERS, 2)
        within = [name for name in imports(module) if name.startswith("hldctl.cli.")]
        above += [name for name in within if layer(name, CLI_LAYERS, 2) > own]
    assert above == []


def test_all_folders_and_modules_have_a_layer() -> None:
    assert {name.split(".")[1] for name in MODULES if "." in name} - {*LAYERS} == {"__main__"}
    assert {name.split(".")[2] for name in MODULES if name.startswith("hldctl.cli.")} == {*CLI_LAYERS}


def test_store_and_claude_do_not_import_each_other() -> None:
    for module in MODULES:
        if module.startswith(("hldctl.claude", "hldctl.store")):
            other = "hldctl.store" if module.startswith("hldctl.claude") else "hldctl.claude"
            assert not [name for name in imports(module) if name.startswith(other)], module


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("hldctl.cli.render.")])
def test_renderers_do_not_query_the_database(module: str) -> None:
    queries = {f"hldctl.store.{name}" for name in ("connection", "database", "sessions", "activity", "session_list")}
    assert not imports(module) & queries
    # Of modules with queries they import types.
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in ("hldctl.store", "hldctl.store.events"):
            assert {alias.name for alias in node.names} <= {"Event", "statistics"}


def test_imports_have_no_cycles() -> None:
    graph = {module: imports(module) - {module} for module in MODULES}
    while leaves := [module for module, names in graph.items() if not names & graph.keys()]:
        for module in leaves:
            del graph[module]
    assert {module: names & graph.keys() for module, names in graph.items()} == {}


def test_folders_are_small() -> None:
    for folder in {path.parent for path in MODULES.values()}:
        assert len(list(folder.glob("*.py"))) <= MAX_MODULES, folder


def test_only_commands_print() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "rehearsal"):
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


def loaded_modules(*arguments: str, home: Path) -> set[str]:
    """Run a command and return the modules that are imported at its end."""
    code = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"from hldctl.cli.app import main\nmain({list(arguments)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"HLDCTL_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_permission_hook_imports_very_little() -> None:
    code = "import sys, hldctl.permission_hook.decide; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=_import_path(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & (
        HEAVY | {"peewee", "dataclasses", "pathlib", "subprocess", "ctypes", "urllib.parse", "inspect"}
    )
    ours = {name for name in loaded if name.startswith("hldctl.") and name.count(".") == 2}
    assert ours == {
        *(
            "hldctl.claude.permission_hook",
            "hldctl.claude.stream",
            "hldctl.claude.tools",
            "hldctl.permission_hook.decide",
        ),
        *("hldctl.store.approvals", "hldctl.store.feed_writer"),
    }


def _import_path() -> dict[str, str]:
    """Return the environment in which modules are found without `site`, which imports modules itself."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


HEAVY = {"psycopg", "rich", "pydantic", "filelock", "psutil", "asyncio", "click", "http.server", "tomllib", "tomlkit"}


def test_completion_imports_less_than_ls(tmp_path: Path) -> None:
    loaded_modules("ls", home=tmp_path)
    code = "import sys; from hldctl.cli.completion import main; main.main('zsh', ['show', '']); print(*sys.modules)"
    environment = _import_path() | {"HLDCTL_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & (HEAVY | {"typer", "peewee", "subprocess"})
    assert len(loaded) < len(loaded_modules("ls", "-q", home=tmp_path))


@pytest.mark.parametrize("command", [["ls"], ["show", "last"], ["tail", "last"], ["wait", "last"]], ids=lambda c: c[0])
def test_read_commands_import_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    # The first run creates the database.
    loaded_modules("ls", home=tmp_path)
    loaded = loaded_modules(*command, home=tmp_path)
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("hldctl.")}
    assert not [name for name in ours if name.startswith(("hldctl.rehearsal", "hldctl.claude."))]
    assert "hldctl.ingest.reducer" not in ours


def test_only_the_fleet_imports_the_driver_of_postgresql() -> None:
    importing = [
        module for module, path in MODULES.items() if re.search(r"^\s*(?:import|from) psycopg", path.read_text(), re.M)
    ]
    assert importing
    assert [module for module in importing if not module.startswith("hldctl.fleet.")] == []


def test_driver_is_imported_without_metadata_of_packages() -> None:
    """They take a fifth of the time of its import, and every command that reads the record would pay that."""
    code = "import sys, hldctl.fleet.record.connection, hldctl.fleet.replica.view; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "psycopg" in loaded
    assert not loaded & {"importlib.metadata", "email", "hldctl.config.edit"}


def test_peewee_is_imported_without_the_driver_of_postgresql() -> None:
    """With psycopg installed, peewee alone would load it, which takes as long as a whole command."""
    code = "import sys, hldctl.store.session_table; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    assert {"peewee"} == {"peewee", "psycopg"} & set(done.stdout.split())
    importing = [
        module
        for module, path in MODULES.items()
        if re.search(r"^\s*(?:import|from) (?:peewee|playhouse)", path.read_text(), re.M)
    ]
    assert importing == ["hldctl.system.orm"]


def test_supervisor_imports_nothing_optional() -> None:
    """Each session has a supervisor, and each launch waits for its start."""
    code = "import sys, hldctl.supervisor.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    heavy = {
        "psycopg",
        "psutil",
        "typer",
        "peewee",
        "rich",
        "hashlib",
        "shutil",
        "tempfile",
        "random",
        "tomllib",
        "http.server",
    }
    assert not heavy & set(done.stdout.split())
