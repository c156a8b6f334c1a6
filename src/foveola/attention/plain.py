"""The plain arm: no attention at all."""

from foveola.attention.arm import ARMS, Arm, ArmSettings

ARMS.add(Arm("plain", "the backbone alone", ArmSettings, "none"))
