"""Pictures of numbers: lines with their intervals."""
