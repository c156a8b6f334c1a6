"""The levels of a backbone: at each resolution the last features before it is lowered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from foveola.attention.hosts.probing import outputs_of, shapes_of
from foveola.foundation.errors import FoveolaError

Shape = tuple[int, int, int]
SETTING = "the arm's setting `levels`"


def chosen_levels(backbone: nn.Module, image: Tensor, wanted: int | str) -> dict[str, Shape]:
    """Returns the names of some levels, and channels, height and width of their features, from fine to coarse.

    Args:
        backbone: An image CNN; its classifier may be gone.
        image: ``1 x C x H x W``, of the size to come.
        wanted: How many levels, counted from the deepest; or names of modules, separated by commas.

    Raises:
        FoveolaError: If the backbone has fewer levels, or no module of such a name, or if the features there are no
            ``B x C x H x W``.

    Example:
        >>> import timm, torch
        >>> network = timm.create_model("resnet18")
        >>> chosen_levels(network, torch.zeros(1, 3, 96, 64), 2)
        {'layer3': (256, 6, 4), 'layer4': (512, 3, 2)}
    """
    levels = levels_of(backbone, image)
    if not levels:
        raise FoveolaError(
            "a backbone whose stages put out features B x C x H x W",
            f"a {type(backbone).__name__}",
            "--backbone",
            "choose a CNN, such as resnet18",
        )
    if isinstance(wanted, int):
        if len(levels) < wanted:
            raise FoveolaError(
                f"at most {len(levels)} levels: " + ", ".join(levels),
                str(wanted),
                SETTING,
                "take fewer, or name modules, separated by commas",
            )
        return dict(list(levels.items())[-wanted:])
    modules = dict(backbone.named_modules())
    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        if not name or name not in modules:
            raise FoveolaError("a known stage", f"'{name}'", SETTING, "choose among " + ", ".join(levels))
    if len(set(names)) < len(names):
        raise FoveolaError("stages that are distinct", wanted, SETTING, "give each once")
    return shapes_of(backbone, names, image)


def levels_of(backbone: nn.Module, image: Tensor) -> dict[str, Shape]:
    """Returns all levels of a backbone, from fine to coarse; see `chosen_levels`.

    timm says what the stages of its networks are. In any other they are found by running it: modules that stand in a
    row are one stage as long as the resolution stays. A resolution without a convolution is no level, nor is what puts
    out something else than features ``B x C x H x W``.
    """
    names = named_by_timm(backbone)
    shapes = _with_convolutions(backbone, names, image) if names else _in_a_row(backbone, image)
    last = {shape[1:]: name for name, shape in shapes.items()}
    return {name: shapes[name] for name in last.values()}


def named_by_timm(backbone: nn.Module) -> list[str]:
    """Returns the names of the modules whose features timm offers, from fine to coarse; none for another network."""
    information: Any = getattr(backbone, "feature_info", None)
    told = [str(entry.get("module")) for entry in information or [] if isinstance(entry, dict)]
    modules = dict(backbone.named_modules())
    return [name for name in told if name in modules]


def _with_convolutions(backbone: nn.Module, names: list[str], image: Tensor) -> dict[str, Shape]:
    """Returns the shapes of features at the resolutions of convolutions; a last pool has none, and is no level."""
    convolutions = [name for name, module in backbone.named_modules() if isinstance(module, nn.Conv2d)]
    outputs = outputs_of(backbone, convolutions, image).values()
    sizes = {(output.shape[2], output.shape[3]) for output in outputs}
    return {name: shape for name, shape in _shapes(backbone, names, image).items() if shape[1:] in sizes}


def _in_a_row(backbone: nn.Module, image: Tensor) -> dict[str, Shape]:
    """Returns the shapes of features in a row, from the first convolution of their resolution on."""
    row = dict(_row(backbone))
    shapes: dict[str, Shape] = {}
    convolved: set[tuple[int, int]] = set()
    for name, shape in _shapes(backbone, list(row), image).items():
        if any(isinstance(module, nn.Conv2d) for module in row[name].modules()):
            convolved.add(shape[1:])
        if shape[1:] in convolved:
            shapes[name] = shape
    return shapes


def _row(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yields the children of a network in order; those of a container stand for it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _row(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


def _shapes(backbone: nn.Module, names: list[str], image: Tensor) -> dict[str, Shape]:
    """Returns the shapes of those that are features, in the order of use; none where channels come last."""
    if getattr(backbone, "output_fmt", "NCHW") != "NCHW":
        return {}
    outputs = outputs_of(backbone, names, image).items()
    features = {name: output for name, output in outputs if isinstance(output, Tensor) and output.ndim == 4}
    return {name: (each.shape[1], each.shape[2], each.shape[3]) for name, each in features.items()}
