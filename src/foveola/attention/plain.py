"""The plain arm: no attention at all."""

from foveola.attention.arm import ARMS, Arm, ArmSettings

ARMS.add("plain", Arm("plain", "the backbone alone", ArmSettings, build=None))
