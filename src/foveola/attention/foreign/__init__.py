"""Maps of models that were built elsewhere, such as those of timm, pytorchcv and MONAI."""
