"""A graphics card that is none: tensors that say they lie elsewhere and hold their numbers here.

Whatever mixes them with tensors of the processor fails as it does on a real card: indices and single numbers excepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
"""The name that goes by: real ones would ask for drivers."""
_INDEXING = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten.copy_.default,
}


class OnCard(Tensor):
    """A tensor on the pretended card; `numbers` lie on the processor."""

    numbers: Tensor

    @staticmethod
    def __new__(cls: type[OnCard], numbers: Tensor) -> OnCard:
        out = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            layout=numbers.layout,
            device=DEVICE,
            requires_grad=numbers.requires_grad,
        )
        out.numbers = numbers.detach()
        return out

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"OnCard({self.numbers!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


@contextmanager
def pretend_card() -> Iterator[torch.device]:
    """While it is entered, there is a card, whose name it gives."""
    with _Factories(), _Operations():
        yield DEVICE


class _Operations(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and to import torch's compiler takes longer than all else

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Factories(TorchFunctionMode):
    """Numbers that Python gives are laid out where no dispatch sees it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.new_tensor:
            like, func, args = args[0], torch.tensor, args[1:]
            kwargs = {"dtype": like.dtype, "device": like.device} | kwargs
        if func is torch.tensor:
            device = torch.device(kwargs.pop("device", None) or "cpu")
            made = torch.tensor(*args, **kwargs)
            return made.to(DEVICE) if device.type == DEVICE.type else made
        if func is Tensor.__getitem__ and isinstance(args[0], OnCard):  # a list of numbers becomes a tensor there
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = args[0], tuple(torch.tensor(part).to(DEVICE) if isinstance(part, list) else part for part in index)
        return func(*args, **kwargs)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given = tree_leaves((args, kwargs))
    there = [x for x in given if isinstance(x, OnCard)]
    asked = kwargs.get("device")
    goes = asked is not None and torch.device(asked).type == DEVICE.type
    stays = asked is not None and not goes
    if any(isinstance(x, Tensor) and not isinstance(x, OnCard) and x.device == DEVICE for x in given):
        raise RuntimeError(f"{func} was given a tensor that the card knows nothing of")
    if there and asked is None and func not in _INDEXING:
        for x in given:
            if isinstance(x, Tensor) and not isinstance(x, OnCard) and x.ndim:
                raise RuntimeError(f"{func} was given tensors of two devices: {tuple(x.shape)} lies on the processor")
    if func in _INDEXING and there and not isinstance(args[0], OnCard) and func is not torch.ops.aten.copy_.default:
        raise RuntimeError(f"{func}: the processor's tensor cannot be indexed by the card's")
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    args, kwargs = tree_map(_take_off, (args, kwargs))
    if func is torch.ops.aten._efficientzerotensor.default:  # without memory: nothing here could read it
        func = torch.ops.aten.zeros.default
    out = func(*args, **kwargs)
    if stays or not (goes or there):
        return out
    if func is torch.ops.aten.copy_.default and not isinstance(given[0], OnCard):
        return out
    inplace = func._schema.is_mutable
    if inplace and isinstance(given[0], OnCard):
        return given[0]
    return tree_map(_put_on, out)


def _take_off(value: Any) -> Any:
    return value.numbers if isinstance(value, OnCard) else value


def _put_on(value: Any) -> Any:
    return OnCard(value) if isinstance(value, Tensor) else value
