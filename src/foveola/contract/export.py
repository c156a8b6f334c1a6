"""Whether a model is the same once ``torch.compile``, ``torch.export`` or ONNX has it, its maps included.

Checks of types at run time cannot be traced through, so these run where there are none.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from foveola.attention import Attended
from foveola.contract.subject import Subject, require, require_same

ASKED = {"return_maps": True}


def compiles_in_one_graph(subject: Subject) -> None:
    """``torch.compile`` takes it without a break, and it does the same."""
    model = Attended(subject.built(), None)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    _require_alike(compiled(subject.inputs, **ASKED), model(subject.inputs, **ASKED))
    torch.compiler.reset()


def exports_to_programs_and_onnx(subject: Subject) -> None:
    """The program of ``torch.export`` does the same, and so does ONNX Runtime with what is written of it."""
    import onnxruntime

    model = Attended(subject.built(), None)
    expected = model(subject.inputs, **ASKED)
    program = torch.export.export(model, (subject.inputs,), ASKED)
    _require_alike(program.module()(subject.inputs, **ASKED), expected)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own use of torch
        file = Path(folder) / "model.onnx"
        torch.onnx.export(program, (), file, dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        outputs = session.run(None, {session.get_inputs()[0].name: subject.inputs.numpy()})
    _require_alike([torch.from_numpy(output) for output in outputs], expected)


def _require_alike(outputs: Sequence[object], expected: Sequence[object]) -> None:
    """Compares logits and maps, in the order in which they come out."""
    found, wanted = tree_leaves(outputs), tree_leaves(expected)
    require(len(found) == len(wanted), f"{len(wanted) - 1} maps, and {len(found) - 1} after the export")
    for output, right in zip(found, wanted, strict=True):
        assert isinstance(output, Tensor)
        scale = right.detach().abs().max().clamp(min=1.0)
        require_same(output / scale, right / scale)
