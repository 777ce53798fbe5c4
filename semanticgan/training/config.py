"""Recipes in YAML, ``key=value`` overrides, and the class of configuration that a recipe's ``method`` asks for.

A recipe in ``configs/`` states what differs from the defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from semanticgan.errors import InputError, MissingFileError, unknown_name
from semanticgan.files import require_file, user_path
from semanticgan.formats import typed_yaml
from semanticgan.training import methods
from semanticgan.training.methods.semanticstylegan_config import SemanticStyleGANConfig
from semanticgan.training.sections import METHOD_CONFIGS, CommonConfig

if TYPE_CHECKING:
    from importlib.abc import Traversable

C = TypeVar("C", bound=CommonConfig)
TrainingConfig = SemanticStyleGANConfig


def _method_files() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(methods.__path__)]


for _name in _method_files():
    if _name.endswith("_config"):  # without the networks, which take longer to import
        importlib.import_module(f"{methods.__name__}.{_name}")


def method_config(method: str) -> type[CommonConfig]:
    """The class of configuration of a method; its file is imported where that alone knows the class.

    Raises:
        InputError: no such method.
    """
    if method not in METHOD_CONFIGS and method in _method_files():
        importlib.import_module(f"{methods.__name__}.{method}")
    if method not in METHOD_CONFIGS:
        raise unknown_name("method", method, METHOD_CONFIGS)
    return METHOD_CONFIGS[method]


def flat(config: CommonConfig) -> dict[str, Any]:
    """Every value by its key, such as ``data.path`` or ``generator.channels.64``."""

    def values(given: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in given.items():
            if isinstance(value, dict):
                yield from values(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    return dict(values(dataclasses.asdict(config), ""))


def recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(item.name.removesuffix(".yaml") for item in _folder().iterdir() if item.name.endswith(".yaml"))


def _folder() -> Traversable:
    """Where the recipes are: in an installed package, or at the top of a checkout that is not installed."""
    try:
        return resources.files("semanticgan.configs")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "configs"


def recipe_text(recipe: str | Path) -> str:
    """The YAML of a recipe by name (``tiny``) or by path (``my/recipe.yaml``).

    Raises:
        InputError: neither a file nor a known name, or a file that is not text.
    """
    if Path(recipe).suffix in (".yaml", ".yml"):
        path = user_path(recipe, "recipe")
        if not path.exists():
            near = difflib.get_close_matches(path.stem, recipes(), n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}, which comes with the package? " if near else ""
            known = ", ".join(recipes())
            raise MissingFileError(f"recipe {str(path)!r} does not exist. {hint}Recipes known by name: {known}.")
        try:
            return require_file(path, "recipe").read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"recipe {str(recipe)!r} is not text. Give a YAML file.") from error
    if str(recipe) not in recipes():
        raise unknown_name("recipe", str(recipe), recipes())
    return (_folder() / f"{recipe}.yaml").read_text(encoding="utf-8")


@overload
def load_config(recipe: str | Path, overrides: Sequence[str] = ()) -> CommonConfig: ...


@overload
def load_config(recipe: str | Path, overrides: Sequence[str] = (), *, kind: type[C]) -> C: ...


def load_config(
    recipe: str | Path, overrides: Sequence[str] = (), *, kind: type[CommonConfig] = CommonConfig
) -> CommonConfig:
    """Read a recipe and apply overrides such as ``batch=8`` or ``loss.r1_image=5``.

    A value takes the type of its key: a text stays as it was typed, ``null`` and nothing are none where the key may
    have none. Of an override that is given twice the last counts.

    Args:
        recipe: a name or a path.
        overrides: ``key=value`` each.
        kind: what the configuration must be, where only one method's will do.

    Returns:
        The configuration class of the recipe's ``method``.

    Raises:
        InputError: unknown recipe or method, unknown key (the nearest known is named), or a value of the wrong type.
    """
    text = recipe_text(recipe)
    try:
        method = typed_yaml.text_of(text, "method") or SemanticStyleGANConfig.method
        for override in overrides:
            name, equals, value = override.partition("=")
            method = value if equals and name.strip() == "method" else method
        found = method_config(method)
        if not issubclass(found, kind):
            raise InputError(f"its method {method!r} is another than {kind.method!r}")
        given = typed_yaml.read(text, found)
    except InputError as error:
        raise InputError(f"recipe {str(recipe)!r} cannot be read: {str(error).rstrip('.')}.") from error
    for override in overrides:
        given = typed_yaml.merged(given, typed_yaml.read_override(override, found))
    config: CommonConfig = typed_yaml.build(found, given)
    setattr(config, "stated", frozenset(map(str, given)))  # noqa: B010
    return config
