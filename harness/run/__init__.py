"""Where runs go: this process, several devices, a cluster."""
