"""The layers of options for a new session: the user's configuration, the project's settings, a profile.

Each layer takes precedence over those before it, and the command line over all of them. A project that the user does
not trust may only set what `Option.project` allows: the rest is ignored, so that an unattended launch does not fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.config import load, schema
from hldctl.config.profiles import parse_options
from hldctl.config.project import Project, ProjectFile, Unusable, find_file
from hldctl.config.schema import Configuration
from hldctl.config.trust import Trust, find_trust
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory


class Layer(NamedTuple):
    """Options from one table of a file."""

    file: Path
    raw: Mapping[str, Any]
    """The values by key, as parsed from TOML."""
    options: Mapping[str, Any]
    """The values by name, as `SessionOptions.given` has them."""


class Ignored(NamedTuple):
    """Settings of a project that are not used."""

    file: Path
    keys: tuple[str, ...]
    """The keys that need trust; empty if the file is unusable as a whole."""
    reason: Trust | Unusable


class Layers(NamedTuple):
    own: Layer
    """The top level of the user's file."""
    project: Layer | None = None
    """The top level of the project's file."""
    profile: Layer | None = None
    ignored: Ignored | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        """The options that the user's own defaults do not decide: those of the project and the profile."""
        return {name: value for layer in (self.project, self.profile) if layer for name, value in layer.options.items()}

    @property
    def options(self) -> dict[str, Any]:
        """The options by name."""
        return {**self.own.options, **self.chosen}


class Profile(NamedTuple):
    """A profile in a file."""

    file: Path
    values: Mapping[str, Any]
    """As parsed from TOML."""


def find_profiles(configuration: Configuration, working_dir: str) -> dict[str, Profile]:
    """Return the user's profiles and the project's by name; raise BadUsage if the project's file is not valid."""
    return _profiles(configuration, _read_project(find_file(working_dir)))


def find_layers(state: StateDirectory, configuration: Configuration, working_dir: str, profile: str | None) -> Layers:
    """Return the layers for a session in the directory; raise BadUsage for an invalid file or an unusable profile."""
    own_options = load.configured_options(configuration)
    own = Layer(schema.path(), {name: configuration.values[name] for name in own_options}, own_options)
    file = find_file(working_dir)
    project = _read_project(file)
    found = None
    if profile is not None:
        found = _find_profile(profile, _profiles(configuration, project))
        if file is not None and found.file == file.path:
            _require_trust(state, file, found, own, profile)
    if file is None:
        return Layers(own, profile=found)
    if project is None:
        assert file.unusable is not None, "a file that is not read has a reason"
        return Layers(own, profile=found, ignored=Ignored(file.path, (), file.unusable))
    layer, ignored = _project_layer(state, file, _layer(file.path, project.values), own)
    return Layers(own, layer, found, ignored)


def _read_project(file: ProjectFile | None) -> Project | None:
    return None if file is None or file.unusable is not None else file.parse()


def _profiles(configuration: Configuration, project: Project | None) -> dict[str, Profile]:
    """Return the profiles by name: of two with the same name the user's own, which need no trust."""
    theirs = {} if project is None else {name: Profile(project.path, raw) for name, raw in project.profiles.items()}
    return theirs | {name: Profile(schema.path(), raw) for name, raw in configuration.profiles.items()}


def _layer(file: Path, raw: Mapping[str, Any], profile: str | None = None) -> Layer:
    return Layer(file, raw, parse_options(file, raw, profile))


def _project_layer(state: StateDirectory, file: ProjectFile, layer: Layer, own: Layer) -> tuple[Layer, Ignored | None]:
    """Return the part of the project's layer that applies, and the rest."""
    refused = _keys_that_need_trust(layer, own)
    # Only now, because most projects set nothing that needs trust.
    if not refused or (trust := find_trust(state, file)) is Trust.TRUSTED:
        return layer, None
    raw, options = ({key: of[key] for key in of if key not in refused} for of in (layer.raw, layer.options))
    return Layer(layer.file, raw, options), Ignored(layer.file, refused, trust)


def _keys_that_need_trust(layer: Layer, own: Layer) -> tuple[str, ...]:
    return tuple(
        name for name, value in layer.options.items() if not _may_project_set(name, value, own.options.get(name))
    )


def _may_project_set(name: str, value: Any, own_value: Any) -> bool:
    rule = schema.OPTIONS[name][1].project
    return rule is not None and rule.allows(value, own_value)


def _find_profile(name: str, profiles: Mapping[str, Profile]) -> Layer:
    if (profile := profiles.get(name)) is not None:
        return _layer(profile.file, profile.values, name)
    if profiles:
        raise BadUsage(f"Unknown profile {name!r}; the profiles are {', '.join(sorted(profiles))}.")
    raise BadUsage(
        f"Unknown profile {name!r}: there are none yet; define it in {schema.path()}, under [profiles.NAME]."
    )


def _require_trust(state: StateDirectory, file: ProjectFile, layer: Layer, own: Layer, name: str) -> None:
    """Raise BadUsage if the project's profile sets what needs trust, and the user does not trust the project."""
    refused = _keys_that_need_trust(layer, own)
    if refused and (trust := find_trust(state, file)) is not Trust.TRUSTED:
        why = "has changed since you trusted it" if trust is Trust.CHANGED else "is not trusted"
        raise BadUsage(
            f"The profile {name!r} sets {', '.join(refused)}, but {file.path} {why}; read it, then run "
            f"`hldctl config trust {file.path.parent}`."
        )
