"""What every other package may use: errors, registries, settings, whole files, plug-ins, optional packages."""
