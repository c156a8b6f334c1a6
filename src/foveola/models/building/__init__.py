"""From a name to a network: timm, torchvision, segmentation-models-pytorch, weights and stems."""
