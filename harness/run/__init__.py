"""Planning and execution of runs: in this process, on several devices, or on a cluster."""
