"""The plain arm: no attention at all."""

from foveola.attention.arm import Arm, ArmSettings, register

register(Arm("plain", "the backbone alone", ArmSettings, "none"))
